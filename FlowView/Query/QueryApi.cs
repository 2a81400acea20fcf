using System.Globalization;
using System.Net.ServerSentEvents;
using Microsoft.AspNetCore.Http.HttpResults;
using WebRtcIms.FlowView.Calls;
using WebRtcIms.FlowView.Settings;
using WebRtcIms.FlowView.Store;
using Attribute = WebRtcIms.FlowView.Store.Attribute;

namespace WebRtcIms.FlowView.Query;

/// <summary>The API of the pages: JSON under <c>/flow/api</c>; README.md describes each answer.</summary>
internal static class QueryApi
{
    /// <summary>A part that has just stopped or started explains a call soon after it. Nanoseconds.</summary>
    private const ulong Around = 5_000_000_000;

    private const int MaxMeanwhile = 50;

    public static void AddQueryApi(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<LiveFeed>();
        builder.Services.ConfigureHttpJsonOptions(options => Json.Configure(options.SerializerOptions));
    }

    public static void MapQueryApi(this WebApplication app)
    {
        var api = app.MapGroup("/flow/api");
        api.MapGet("/traces", ListCalls);
        api.MapGet("/traces/{id}", ShowCall);
        api.MapGet("/usage", Usage);
        api.MapGet("/events", Listen);
    }

    private static IResult ListCalls([AsParameters] CallQuery query, TraceStore traces, LogStore logs)
    {
        if (query.Problem is { } problem)
            return Problem("trace_search_invalid", StatusCodes.Status400BadRequest, "The search is not understood", problem);
        var (page, matches) = traces.Search(query.FilterWith(logs), CallSummary.Of, query.PageLength, query.Skipped);
        return Results.Ok(new { Traces = page, Matches = matches });
    }

    private static IResult ShowCall(string id, TraceStore traces, LogStore logs, FlowViewSettings settings)
    {
        if (!TryParse(id, out var traceId)
            || traces.Find(traceId, trace => new { Call = CallSummary.Of(trace), Spans = trace.InOrder(), trace.Start, trace.End })
                is not { } found)
        {
            return Problem(
                "trace_not_found", StatusCodes.Status404NotFound, "No such trace",
                "The trace is not here. New spans take a second to arrive, and old traces are evicted.");
        }

        var name = Json.TraceId(traceId);
        return Results.Ok(new
        {
            Id = name,
            found.Call,
            Spans = found.Spans.Select(SpanDetails.Of),
            Logs = logs.Of(traceId).Select(LogDetails.Of),
            Meanwhile = logs.WithoutTrace(found.Start - Math.Min(found.Start, Around), found.End + Around)
                .TakeLast(MaxMeanwhile).Select(LogDetails.Of),
            Viewers = settings.Viewers.Select(viewer => new { viewer.Name, Url = viewer.UrlOf(name) }),
        });
    }

    private static IResult Usage(TraceStore traces, LogStore logs, FlowViewSettings settings)
    {
        var (traceCount, spans, traceOctets, evicted) = traces.Usage;
        var (entries, logOctets) = logs.Usage;
        return Results.Ok(new
        {
            Traces = traceCount,
            Spans = new { Count = spans, Max = settings.Spans, Evicted = evicted },
            Logs = new { Count = entries, Max = settings.Logs },
            Memory = new { Octets = traceOctets + logOctets, Max = settings.TraceOctets + settings.LogOctets },
        });
    }

    private static ServerSentEventsResult<Change> Listen(LiveFeed feed, HttpContext context, IHostApplicationLifetime lifetime)
    {
        // An open page must not delay the stop.
        var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        context.Response.RegisterForDispose(stop);
        // nginx would hold events back until they fill a buffer.
        context.Response.Headers["X-Accel-Buffering"] = "no";
        return TypedResults.ServerSentEvents(HttpMethods.IsHead(context.Request.Method)
            ? AsyncEnumerable.Empty<SseItem<Change>>()
            : feed.ListenAsync(context.Connection.RemoteIpAddress, stop.Token));
    }

    // The page shows its own text for the code, in the reader's language.
    private static IResult Problem(string code, int status, string title, string detail) =>
        Results.Problem(detail, statusCode: status, title: title, extensions: new Dictionary<string, object?> { ["code"] = code });

    private static bool TryParse(string? text, out UInt128 id)
    {
        id = 0;
        return text is { Length: 32 } && UInt128.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out id);
    }
}

internal sealed record CallSummary(
    string Id, CallKind Kind, CallOutcome Outcome, string Name, IReadOnlyList<string> Who, SpanDetails? Cause, string FailedStep,
    double Start, double Duration, double? SetUp, int Spans, IReadOnlyList<string> Steps, long Arrival,
    long? PacketsReceived, long? PacketsLost)
{
    public static CallSummary Of(Trace trace)
    {
        var call = trace.Derived(Call.Of);
        return new CallSummary(
            Json.TraceId(trace.Id), call.Kind, call.Outcome, NameOf(trace.Root), call.Who,
            call.Cause is { } cause ? SpanDetails.Of(cause) : null, call.FailedStep,
            Json.Milliseconds(trace.Start), Json.Milliseconds(trace.Duration),
            call.SetUp is { IsError: false } setUp ? Json.Milliseconds(setUp.End - setUp.Start) : null,
            trace.Count, call.Steps, trace.Arrival, call.Packets?.Received, call.Packets?.Lost);
    }

    // "POST" or a route's pattern says less than the path.
    private static string NameOf(Span span) =>
        (Find(span, "http.request.method"), Find(span, "url.path")) is ({ Length: > 0 } method, { Length: > 0 } path)
            ? $"{method} {path}" : span.Name;

    private static string Find(Span span, string key) =>
        AttributeText.Of(Array.Find(span.Attributes, attribute => attribute.Key == key).Value);
}

/// <summary>A span with everything that its sender gave.</summary>
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

/// <summary>A log record of a trace; <c>span</c> is empty if it was written outside of any.</summary>
internal sealed record LogDetails(
    double Time, int Severity, string Text, string Category, string Service, string Span, Attribute[] Attributes)
{
    public static LogDetails Of(LogEntry entry) => new(
        Json.Milliseconds(entry.Time), entry.Severity, entry.Text, entry.Category, entry.Source.Service, Json.SpanId(entry.SpanId),
        entry.Attributes);
}
