using System.Diagnostics.Tracing;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Counts batches that a collector did not accept, because it was down or slow or refused them. They are lost: no request waits for a
/// collector. OpenTelemetry itself counts records that never reached a batch (<see cref="SdkMeter"/>).
/// </summary>
internal sealed class TelemetryLosses : EventListener
{
    /// <summary>
    /// OpenTelemetry's measurements of itself: <c>otel.sdk.processor.span.processed</c>, with <c>error.type</c> for a full queue.
    /// </summary>
    public const string SdkMeter = "otel.sdk.experimental";

    private const string Exporter = "OpenTelemetry-Exporter-OpenTelemetryProtocol";

    // The exporter's own events for a failed batch. Some of them are not errors in its view.
    private static readonly HashSet<string?> Failures =
        ["FailedToReachCollector", "HttpRequestFailed", "RequestTimedOut", "ExportFailure", "ExportMethodException",
            "BatchDroppedDueToSerializationFailure"];

    private readonly Counter<long>? _failures;

    public TelemetryLosses(IMeterFactory factory) =>
        _failures = factory.Create("WebRtcIms.Telemetry")
            .CreateCounter<long>(
                "telemetry.export.failures", description: "Batches of spans, metrics or logs that a collector did not accept");

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == Exporter) EnableEvents(eventSource, EventLevel.Informational);
    }

    // The base class reports sources before the constructor of this class runs.
    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (Failures.Contains(eventData.EventName)) _failures?.Add(1);
    }
}
