using System.Globalization;
using WebRtcIms.FlowView.Store;
using Attribute = WebRtcIms.FlowView.Store.Attribute;

namespace WebRtcIms.FlowView.Query;

/// <summary>What the pages read, as JSON under <c>/flow/api</c>; README.md describes each answer.</summary>
internal static class QueryApi
{
    private const int MaxLogs = 1000;

    public static void AddQueryApi(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<LiveFeed>();
        builder.Services.ConfigureHttpJsonOptions(options => Json.Configure(options.SerializerOptions));
        builder.Services.AddProblemDetails();
    }

    public static void MapQueryApi(this WebApplication app)
    {
        var api = app.MapGroup("/flow/api");
        api.MapGet("/traces", ListTraces);
        api.MapGet("/traces/{id}", ShowTrace);
        api.MapGet("/services", (TraceStore traces) => traces.Services());
        api.MapGet("/logs", ListLogs);
        api.MapGet("/metrics", ListInstruments);
        api.MapGet("/metrics/{name}", ShowInstrument);
        api.MapGet("/usage", Usage);
        api.MapGet("/events", Listen);
    }

    private static IResult ListTraces([AsParameters] TraceQuery query, TraceStore traces)
    {
        var (page, matches) = traces.Search(query.Filter(), TraceSummary.Of, query.Take);
        return Results.Ok(new { Traces = page, Matches = matches });
    }

    private static IResult ShowTrace(string id, TraceStore traces)
    {
        var spans = TryParse(id, out var traceId) ? traces.Find(traceId) : [];
        return spans.Count == 0
            ? Results.Problem("The trace is not here. Old traces make place for new ones, and new ones take a second to arrive.", statusCode: StatusCodes.Status404NotFound, title: "No such trace")
            : Results.Ok(new { Id = Json.TraceId(traceId), Spans = spans.Select(SpanDetails.Of) });
    }

    private static IResult ListLogs(string? trace, string? service, int? severity, string? text, int? limit, LogStore logs)
    {
        var (hasTrace, traceId) = (TryParse(trace, out var id), id);
        if (!string.IsNullOrEmpty(trace) && !hasTrace) return Results.Ok(new { Logs = Array.Empty<object>(), Matches = 0 });

        var (page, matches) = logs.Search(
            entry => (!hasTrace || entry.TraceId == traceId)
                && (string.IsNullOrEmpty(service) || entry.Source.Service == service)
                && entry.Severity >= (severity ?? 0)
                && (string.IsNullOrEmpty(text) || entry.Text.Contains(text, StringComparison.OrdinalIgnoreCase)),
            Math.Clamp(limit ?? 200, 1, MaxLogs));
        return Results.Ok(new { Logs = page.Select(LogDetails.Of), Matches = matches });
    }

    private static IResult ListInstruments(MetricStore metrics) => Results.Ok(
        metrics.Select(_ => true, series => series.Instrument)
            .GroupBy(instrument => (instrument.Name, instrument.Service))
            .OrderBy(group => group.Key.Service, StringComparer.Ordinal).ThenBy(group => group.Key.Name, StringComparer.Ordinal)
            .Select(group => new { group.Key.Service, group.Key.Name, group.First().Unit, group.First().Description, group.First().Type, Series = group.Count() }));

    private static IResult ShowInstrument(string name, string? service, MetricStore metrics, TraceStore traces) => Results.Ok(new
    {
        Series = metrics.Select(
            series => series.Instrument.Name == name && (string.IsNullOrEmpty(service) || series.Instrument.Service == service),
            series => new
            {
                series.Instrument.Service,
                series.Instrument.Instance,
                series.Instrument.Type,
                series.Instrument.Unit,
                series.Instrument.Description,
                series.Instrument.IsDelta,
                series.Attributes,
                series.Latest!.Bounds,
                series.Latest.Buckets,
                Points = series.Points.Select(point => new { Time = Json.Milliseconds(point.Time), point.Value, point.Count }).ToList(),
                // A measurement is kept longer than its trace, and senders repeat it to a FlowView that has just started: no link leads nowhere.
                Exemplars = series.Exemplars
                    .Where(exemplar => traces.Has(exemplar.TraceId))
                    .Select(exemplar => new { Time = Json.Milliseconds(exemplar.Time), exemplar.Value, Trace = Json.TraceId(exemplar.TraceId) }).ToList(),
            }),
    });

    private static IResult Usage(TraceStore traces, LogStore logs, MetricStore metrics, FlowViewSettings settings)
    {
        var (traceCount, spans, traceOctets, evicted) = traces.Usage;
        var (entries, logOctets) = logs.Usage;
        return Results.Ok(new
        {
            Traces = traceCount,
            Spans = new { Count = spans, Max = settings.Spans, Evicted = evicted },
            Logs = new { Count = entries, Max = settings.Logs },
            Metrics = new { Count = metrics.Count, Max = settings.MetricSeries },
            Memory = new { Octets = traceOctets + logOctets, Max = settings.TraceOctets + settings.LogOctets },
        });
    }

    private static IResult Listen(LiveFeed feed, HttpContext context, IHostApplicationLifetime lifetime)
    {
        // Open pages do not hold up a stop.
        var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        context.Response.RegisterForDispose(stop);
        return feed.TryListen(stop.Token) is { } changes
            ? TypedResults.ServerSentEvents(changes)
            : Results.Problem("Too many pages are open.", statusCode: StatusCodes.Status503ServiceUnavailable);
    }

    private static bool TryParse(string? text, out UInt128 id)
    {
        id = 0;
        return text is { Length: 32 } && UInt128.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out id);
    }
}

/// <summary>A trace in a list.</summary>
internal sealed record TraceSummary(
    string Id, string Name, string Service, double Start, double Duration, int Spans, int Errors, IReadOnlyDictionary<string, int> Services, IReadOnlyList<string> Steps)
{
    public static TraceSummary Of(Trace trace)
    {
        var root = trace.Root;
        return new TraceSummary(
            Json.TraceId(trace.Id), NameOf(root), root.Source.Service, Json.Milliseconds(trace.Start), Json.Milliseconds(trace.Duration),
            trace.Count, trace.Errors, new Dictionary<string, int>(trace.Services),
            [.. trace.Spans.Select(span => Find(span, "ims.step")).Where(step => step.Length > 0).Distinct().Order(StringComparer.Ordinal)]);
    }

    // "POST" or a route's pattern says less than the path.
    private static string NameOf(Span span) =>
        (Find(span, "http.request.method"), Find(span, "url.path")) is ({ Length: > 0 } method, { Length: > 0 } path) ? $"{method} {path}" : span.Name;

    private static string Find(Span span, string key) =>
        AttributeText.Of(Array.Find(span.Attributes, attribute => attribute.Key == key).Value);
}

/// <summary>A span with all that came with it.</summary>
internal sealed record SpanDetails(
    string Id, string Parent, string Name, SpanKind Kind, string Service, string Instance, string Scope, double Start, double Duration,
    Attribute[] Attributes, Attribute[] Resource, IEnumerable<object> Events, IEnumerable<object> Links, bool Error, string Message)
{
    public static SpanDetails Of(Span span) => new(
        Json.SpanId(span.SpanId), Json.SpanId(span.ParentId), span.Name, span.Kind, span.Source.Service, span.Source.Instance, span.Scope,
        Json.Milliseconds(span.Start), Json.Milliseconds(span.End - span.Start),
        span.Attributes, span.Source.Attributes,
        span.Events.Select(spanEvent => new { Time = Json.Milliseconds(spanEvent.Time), spanEvent.Name, spanEvent.Attributes }),
        span.Links.Select(link => new { Trace = Json.TraceId(link.TraceId), Span = Json.SpanId(link.SpanId), link.Attributes }),
        span.IsError, span.StatusMessage);
}

/// <summary>A log record; <c>trace</c> and <c>span</c> are empty when it was written outside of any.</summary>
internal sealed record LogDetails(
    long Sequence, double Time, int Severity, string Text, string Category, string Service, string Trace, string Span, Attribute[] Attributes)
{
    public static LogDetails Of(LogEntry entry) => new(
        entry.Sequence, Json.Milliseconds(entry.Time), entry.Severity, entry.Text, entry.Category, entry.Source.Service,
        entry.TraceId == 0 ? "" : Json.TraceId(entry.TraceId), Json.SpanId(entry.SpanId), entry.Attributes);
}
