using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using OpenTelemetry.Metrics;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;

namespace Microsoft.Extensions.Hosting;

/// <summary>
/// What every service has: OpenTelemetry, health, service discovery and resilient HTTP clients, in the shape of
/// .NET Aspire's own template so that a reader who knows one knows this one.
/// </summary>
public static class Extensions
{
    internal const string HealthPath = "/health";

    // A page asks for the state of the parts each second while its stage is open.
    private const string StagePath = "/api/stage";
    private const string AlivePath = "/alive";
    internal const string MetricsPath = "/metrics";
    internal const string PrometheusPort = "Prometheus:Port";

    /// <summary>Adds telemetry, health checks, service discovery and resilience. <see cref="ServiceHost"/> calls it first.</summary>
    /// <exception cref="SettingsException">A setting cannot be used, or a peer on another machine has no TLS.</exception>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        FrameworkSettings.Check(builder.Configuration);
        TransportEncryption.Check(builder.Configuration, builder.Environment);
        builder.ConfigureOpenTelemetry();
        ConsoleLines.AddTo(builder);

        // ServiceHost reports a failed start in one sentence. The host's own record of it is a stack trace.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);
        // The report of /health names what is degraded. A log record with a stack trace for each probe adds nothing.
        builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.Error);
        builder.Logging.AddSampler<LogRateLimit>();
        builder.Services.AddActivatedSingleton<TelemetryLosses>();
        builder.Services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), ["live"]);
        BadRequests.AddTo(builder.Services);
        builder.Services.AddServiceDiscovery();
        builder.Services.ConfigureHttpClientDefaults(http =>
        {
            http.AddStandardResilienceHandler();
            http.AddServiceDiscovery();
        });
        builder.Services.AddHostedService<IdleMemory>();
        builder.Services.AddSingleton(TimeProvider.System);
        return builder;
    }

    /// <summary>
    /// <c>GET /health</c>: every check, as JSON with a line for each (200 when healthy or degraded, 503 when unhealthy).
    /// <c>GET /alive</c>: whether the process answers at all. The gateway forwards neither.
    /// <c>GET /metrics</c>: all metrics in the format of Prometheus, only on the port <c>Prometheus:Port</c>. It must be one of the
    /// service's addresses, and only Prometheus should reach it.
    /// </summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        app.MapHealthChecks(HealthPath, new HealthCheckOptions { ResponseWriter = HealthReportWriter.WriteAsync });
        app.MapHealthChecks(AlivePath, new HealthCheckOptions { Predicate = check => check.Tags.Contains("live") });
        if (app.Configuration.GetValue<int?>(PrometheusPort) is { } port)
            app.UseOpenTelemetryPrometheusScrapingEndpoint(context =>
                context.Connection.LocalPort == port && context.Request.Path == MetricsPath);
        return app;
    }

    private static void ConfigureOpenTelemetry<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });

        builder.Services.AddOpenTelemetry()
            .WithMetrics(metrics => metrics
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddRuntimeInstrumentation()
                .AddView(DropBufferCounts)
                .AddMeter(ServiceTelemetry.Wildcard, TelemetryLosses.SdkMeter))
            .WithTracing(tracing => tracing
                .AddSource(ServiceTelemetry.Wildcard)
                .AddAspNetCoreInstrumentation(options => options.Filter = IsNotAProbe)
                .AddHttpClientInstrumentation()
                .AddProcessor(new QueryRedactionProcessor()));
        if (Sampling.Of(builder.Configuration) is { } sampler)
            builder.Services.ConfigureOpenTelemetryTracerProvider(tracing => tracing.SetSampler(sampler));

        if (builder.Configuration[PrometheusPort] is { Length: > 0 })
            builder.Services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddPrometheusExporter());
        if (!string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
            builder.Services.AddOpenTelemetry().UseOtlpExporter();
        builder.ExportToFlowView();
    }

    // ASP.NET Core counts each buffer that it rents and returns, several per request. That costs more than all its other measurements.
    private static MetricStreamConfiguration? DropBufferCounts(Instrument instrument) =>
        instrument.Meter.Name == "Microsoft.AspNetCore.MemoryPool" ? MetricStreamConfiguration.Drop : null;

    // Services fetch their keys and look for sessions all the time, as probes ask for the health.
    private static bool IsNotAProbe(HttpContext context) =>
        !context.Request.Path.StartsWithSegments(SessionsToken.FindPath)
        && !context.Request.Path.StartsWithSegments(LongTermKeys.Path)
        && !context.Request.Path.StartsWithSegments(HealthPath)
        && !context.Request.Path.StartsWithSegments(AlivePath)
        && !(context.Request.Path == StagePath && HttpMethods.IsGet(context.Request.Method))
        && !context.Request.Path.StartsWithSegments(MetricsPath);
}
