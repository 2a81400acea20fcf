using System.Diagnostics.Metrics;
using System.Diagnostics.Tracing;
using Microsoft.Extensions.Hosting;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Counts batches that a collector did not take, because it was down, slow, or refused them. They are gone: nothing waits for a
/// collector. What did not even get into a batch, OpenTelemetry counts itself (<see cref="SdkMeter"/>).
/// </summary>
internal sealed class TelemetryLosses : EventListener, IHostedService
{
    /// <summary>OpenTelemetry's measurements of itself: <c>otel.sdk.processor.span.processed</c>, with <c>error.type</c> for a full queue.</summary>
    public const string SdkMeter = "otel.sdk.experimental";

    private const string Exporter = "OpenTelemetry-Exporter-OpenTelemetryProtocol";

    // How the exporter calls it when a batch was not taken, in its own log of events; some are no errors to it.
    private static readonly HashSet<string?> Failures =
        ["FailedToReachCollector", "HttpRequestFailed", "RequestTimedOut", "ExportFailure", "ExportMethodException", "BatchDroppedDueToSerializationFailure"];

    private readonly Counter<long>? _failures;

    public TelemetryLosses(IMeterFactory factory) =>
        _failures = factory.Create("WebRtcIms.Telemetry").CreateCounter<long>("telemetry.export.failures", description: "Batches of spans, metrics or logs that a collector did not take");

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == Exporter) EnableEvents(eventSource, EventLevel.Informational);
    }

    // The base class tells of sources before this class has its counter.
    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (Failures.Contains(eventData.EventName)) _failures?.Add(1);
    }
}
