using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Features;
using OpenTelemetry.Trace;

namespace WebRtcIms.WicWeb.PageSpans;

/// <summary>
/// <c>POST /v1/traces</c>: spans of the page, limited in number and size for each client. Records the page's measurements as metrics,
/// and forwards the spans to the collectors.
/// </summary>
internal sealed class PageSpanEndpoint(PageSpanExporter exporter, IConfiguration configuration, IMeterFactory factory)
{
    private const string Policy = "page-spans";
    private const int PerMinute = 60;
    private const double NanosecondsPerSecond = 1e9;
    private const string MeterName = "WebRtcIms.Wic";

    private static readonly InstrumentAdvice<double> Seconds =
        new() { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] };

    private readonly Sampler? _sampler = Sampling.Of(configuration);
    private readonly Histogram<double> _steps = factory.Create(MeterName).CreateHistogram<double>(
        "wic.step.duration", "s", "What the page's own steps of the figure take, by step and outcome, as the page sees it",
        advice: Seconds);

    private readonly Histogram<double> _setUp = factory.Create(MeterName).CreateHistogram<double>(
        "wic.call.setup.duration", "s", "From the click until media flows, or until it is clear that it will not, as the page sees it",
        advice: Seconds);

    public static void AddTo(WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<PageSpanExporter>();
        builder.Services.AddHostedService(services => services.GetRequiredService<PageSpanExporter>());
        builder.Services.AddSingleton<PageSpanEndpoint>();
        builder.Services.AddRateLimiter(limiter =>
        {
            limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
            limiter.AddPolicy(Policy, context => RateLimitPartition.GetFixedWindowLimiter(
                context.Connection.RemoteIpAddress?.ToString() ?? "",
                _ => new FixedWindowRateLimiterOptions { PermitLimit = PerMinute, Window = TimeSpan.FromMinutes(1) }));
        });
    }

    public static void MapTo(WebApplication app)
    {
        var endpoint = app.Services.GetRequiredService<PageSpanEndpoint>();
        app.MapPost("/v1/traces", (Delegate)endpoint.ReceiveAsync).RequireRateLimiting(Policy);
    }

    private async Task<IResult> ReceiveAsync(HttpContext context)
    {
        if (!context.Request.HasJsonContentType())
            return Results.Problem(
                "A page's spans come as OTLP in JSON: Content-Type must be application/json.",
                statusCode: StatusCodes.Status415UnsupportedMediaType);
        // Kestrel enforces this limit only while it reads the body.
        if (context.Request.ContentLength > context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize)
            return Results.StatusCode(StatusCodes.Status413PayloadTooLarge);

        using var reader = new StreamReader(context.Request.Body);
        if (PageSpanReader.Read(await reader.ReadToEndAsync(context.RequestAborted)) is not { } spans) return Results.BadRequest();
        foreach (var span in spans) Measure(span);
        exporter.Send([.. spans.Where(IsSampled)]);
        return Results.Ok(new { });
    }

    private void Measure(Span span)
    {
        var step = PageSpanReader.StepOf(span);
        if (step is null && span.Name != PageSpanReader.SetUp) return;

        // The measurement's exemplar links to the page's trace.
        using var activity = new Activity(span.Name)
            .SetParentId(TraceIdOf(span), ActivitySpanId.CreateFromBytes(span.SpanId.Span), ActivityTraceFlags.Recorded).Start();
        var took = (span.EndTimeUnixNano - span.StartTimeUnixNano) / NanosecondsPerSecond;
        var outcome = new KeyValuePair<string, object?>("outcome", PageSpanReader.OutcomeOf(span));
        if (step is { } number) _steps.Record(took, new KeyValuePair<string, object?>(ServiceTelemetry.ImsStep, number), outcome);
        else _setUp.Record(took, outcome);
    }

    private bool IsSampled(Span span)
    {
        var parameters = new SamplingParameters(default, TraceIdOf(span), span.Name, ActivityKind.Internal);
        return _sampler is null || _sampler.ShouldSample(parameters).Decision == SamplingDecision.RecordAndSample;
    }

    private static ActivityTraceId TraceIdOf(Span span) => ActivityTraceId.CreateFromBytes(span.TraceId.Span);
}
