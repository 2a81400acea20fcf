using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// A second OTLP exporter, to FlowView, if <c>FlowView:Endpoint</c> is set (<c>http://localhost:4318</c>). It sends spans and log records;
/// FlowView has no use for metrics. The collector that OTEL_EXPORTER_OTLP_ENDPOINT names, such as Aspire's dashboard, gets everything.
/// While FlowView is down or slow, batches are dropped. No request waits for them.
/// </summary>
internal static class FlowViewExporter
{
    // People look at FlowView while they click.
    private const int DelayMilliseconds = 500;
    private const int TimeoutMilliseconds = 3000;

    public static void ExportToFlowView(this IHostApplicationBuilder builder)
    {
        if (HttpAddress.Parse(builder.Configuration["FlowView:Endpoint"]) is not { } endpoint) return;
        var headers = FlowViewKey.Of(builder.Configuration) is { } key ? $"{FlowViewKey.Header}={Uri.EscapeDataString(key)}" : "";
        builder.Logging.AddOpenTelemetry(logging => logging.AddProcessor(_ =>
            new BatchLogRecordExportProcessor(new OtlpLogExporter(OptionsFor(endpoint, "v1/logs", headers)),
                scheduledDelayMilliseconds: DelayMilliseconds)));
        builder.Services.AddOpenTelemetry()
            .WithTracing(tracing => tracing.AddProcessor(_ =>
                new BatchActivityExportProcessor(new OtlpTraceExporter(OptionsFor(endpoint, "v1/traces", headers)),
                    scheduledDelayMilliseconds: DelayMilliseconds)));
    }

    private static OtlpExporterOptions OptionsFor(Uri endpoint, string path, string headers) => new()
    {
        Endpoint = new Uri(endpoint, path),
        Protocol = OtlpExportProtocol.HttpProtobuf,
        TimeoutMilliseconds = TimeoutMilliseconds,
        Headers = headers,
    };
}
