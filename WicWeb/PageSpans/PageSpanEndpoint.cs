using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Features;
using OpenTelemetry.Trace;
using WebRtcIms.WicWeb.Sessions;

namespace WebRtcIms.WicWeb.PageSpans;

/// <summary>
/// <c>POST /v1/traces</c>: spans of a page with a live session, limited in number and size for each session and each address. Records the
/// page's measurements as metrics of their own, and forwards the spans to the collectors.
/// </summary>
internal sealed partial class PageSpanEndpoint(
    PageSpanExporter exporter, LiveSessions sessions, TraceMembers members, TimeProvider time, IConfiguration configuration,
    IMeterFactory factory, ILogger<PageSpanEndpoint> logger) : IDisposable
{
    private const string Policy = "page-spans";

    // Behind one address there may be several pages.
    private const int PerAddress = 300;
    private const int PerSession = 60;
    private const double NanosecondsPerSecond = 1e9;
    private const string MeterName = "WebRtcIms.Wic";

    private static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan MaxSkew = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan MaxDuration = TimeSpan.FromHours(1);
    private static readonly TimeSpan LongestCall = TimeSpan.FromDays(1);

    private static readonly InstrumentAdvice<double> Seconds =
        new() { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] };

    private readonly Sampler? _sampler = Sampling.Of(configuration);
    private readonly Histogram<double> _steps = factory.Create(MeterName).CreateHistogram<double>(
        "wic.reported.step.duration", "s", "What the page's own steps of the figure take, by step and outcome, as pages report it",
        advice: Seconds);

    private readonly Histogram<double> _setUp = factory.Create(MeterName).CreateHistogram<double>(
        "wic.reported.call.setup.duration", "s",
        "From the click until media flows, or until it is clear that it will not, as pages report it", advice: Seconds);

    private readonly Counter<long> _refused = factory.Create(MeterName).CreateCounter<long>(
        "wic.spans.refused", description: "Spans of pages that were not accepted, by reason");

    private readonly PartitionedRateLimiter<string> _perSession = PartitionedRateLimiter.Create<string, string>(session =>
        RateLimitPartition.GetFixedWindowLimiter(session, _ => Minute(PerSession)));

    public static void AddTo(WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<PageSpanExporter>();
        builder.Services.AddHostedService(services => services.GetRequiredService<PageSpanExporter>());
        builder.Services.AddSingleton<PageSpanEndpoint>();
        builder.Services.AddRateLimiter(limiter =>
        {
            limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
            limiter.AddPolicy(Policy, context =>
                RateLimitPartition.GetFixedWindowLimiter(CallerAddress.Of(context), _ => Minute(PerAddress)));
        });
    }

    public static void MapTo(WebApplication app)
    {
        var endpoint = app.Services.GetRequiredService<PageSpanEndpoint>();
        app.MapPost("/v1/traces", (Delegate)endpoint.ReceiveAsync).RequireRateLimiting(Policy);
    }

    public void Dispose() => _perSession.Dispose();

    private async Task<IResult> ReceiveAsync(HttpContext context)
    {
        if (await sessions.FindAsync(context) is not { } session)
            return Results.Problem("Only a page with a session sends spans.", statusCode: StatusCodes.Status401Unauthorized);
        if (!_perSession.AttemptAcquire(session).IsAcquired) return Results.StatusCode(StatusCodes.Status429TooManyRequests);
        if (!context.Request.HasJsonContentType())
            return Results.Problem(
                "A page's spans come as OTLP in JSON: Content-Type must be application/json.",
                statusCode: StatusCodes.Status415UnsupportedMediaType);
        // Kestrel enforces this limit only while it reads the body.
        if (context.Request.ContentLength > context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize)
            return Results.StatusCode(StatusCodes.Status413PayloadTooLarge);

        using var reader = new StreamReader(context.Request.Body);
        if (PageSpanReader.Read(await reader.ReadToEndAsync(context.RequestAborted)) is not { } spans) return Results.BadRequest();

        var accepted = spans.Where(span => IsOfNow(span) && IsOf(session, span)).ToList();
        foreach (var span in accepted) Measure(session, span);
        exporter.Send([.. accepted.Where(IsSampled)]);
        // Both are answers of OTLP (https://opentelemetry.io/docs/specs/otlp/#otlphttp-response).
        if (accepted.Count == spans.Count) return Results.Ok(new { });
        return accepted.Count == 0
            ? Results.BadRequest()
            : Results.Ok(new { PartialSuccess = new { RejectedSpans = spans.Count - accepted.Count } });
    }

    private bool IsOfNow(Span span)
    {
        var now = time.GetUtcNow();
        var isOfNow = PageSpanReader.IsWithin(
            span, now - MaxAge, now + MaxSkew, span.Name == PageSpanReader.InCall ? LongestCall : MaxDuration);
        if (!isOfNow) _refused.Add(1, new KeyValuePair<string, object?>("reason", "time"));
        return isOfNow;
    }

    private bool IsOf(string session, Span span)
    {
        var isMember = members.Admit(TraceIdOf(span), session);
        if (!isMember) _refused.Add(1, new KeyValuePair<string, object?>("reason", "trace"));
        return isMember;
    }

    private void Measure(string session, Span span)
    {
        var step = PageSpanReader.StepOf(span);
        var isFailed = PageSpanReader.ErrorOf(span) is not null;
        if (step is null && span.Name is not (PageSpanReader.SetUp or PageSpanReader.InCall) && !isFailed) return;

        // The log record and the measurement's exemplar belong to the page's trace.
        using var activity = new Activity(span.Name)
            .SetParentId(TraceIdOf(span), ActivitySpanId.CreateFromBytes(span.SpanId.Span), ActivityTraceFlags.Recorded).Start();
        var took = (span.EndTimeUnixNano - span.StartTimeUnixNano) / NanosecondsPerSecond;
        var outcome = new KeyValuePair<string, object?>("outcome", PageSpanReader.OutcomeOf(span));
        if (step is { } number) _steps.Record(took, new KeyValuePair<string, object?>(ServiceTelemetry.ImsStep, number), outcome);
        else if (span.Name == PageSpanReader.SetUp) _setUp.Record(took, outcome);
        Log(session, span, took);
    }

    // A step fails the call, which has its own record. The texts of a page's span are from lists of this server.
    private void Log(string session, Span span, double took)
    {
        if (PageSpanReader.ErrorOf(span) is { } error)
        {
            if (PageSpanReader.StepOf(span) is null) LogFailed(session, span.Name, (long)(took * 1000), error);
        }
        else if (span.Name == PageSpanReader.SetUp)
        {
            LogSetUp(session, (long)(took * 1000));
        }
        else if (span.Name == PageSpanReader.InCall)
        {
            var received = PageSpanReader.CountOf(span, PageSpanReader.Received);
            LogEnded(session, (long)took, received, PageSpanReader.CountOf(span, PageSpanReader.Lost));
        }
    }

    private bool IsSampled(Span span)
    {
        var parameters = new SamplingParameters(default, TraceIdOf(span), span.Name, ActivityKind.Internal);
        return _sampler is null || _sampler.ShouldSample(parameters).Decision == SamplingDecision.RecordAndSample;
    }

    private static FixedWindowRateLimiterOptions Minute(int permits) => new() { PermitLimit = permits, Window = TimeSpan.FromMinutes(1) };

    [LoggerMessage(1, LogLevel.Information,
        "The page of session {Session} reports that its call was set up in {Milliseconds} ms", EventName = "call.set_up")]
    private partial void LogSetUp(string session, long milliseconds);

    [LoggerMessage(2, LogLevel.Information,
        "The page of session {Session} reports that '{Span}' failed after {Milliseconds} ms: {Error}", EventName = "call.page_failed")]
    private partial void LogFailed(string session, string span, long milliseconds, string error);

    [LoggerMessage(3, LogLevel.Information,
        "The page of session {Session} reports that its call ended after {Seconds} s. Received: {Received} packets. Lost: {Lost} packets",
        EventName = "call.page_ended")]
    private partial void LogEnded(string session, long seconds, int? received, int? lost);

    private static ActivityTraceId TraceIdOf(Span span) => ActivityTraceId.CreateFromBytes(span.TraceId.Span);
}
