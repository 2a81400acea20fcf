using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Token bucket for each log event: one per second sustained, ten burst. A client that can cause an event can cause a million, and must
/// not fill the disk or hide other events. Suppressed records are counted. The steps of calls have a larger bucket: only clients with a
/// token cause them. Records of an audit are all kept: only authenticated callers cause them.
/// </summary>
public sealed class LogRateLimit(TimeProvider time, IMeterFactory factory) : LoggingSampler
{
    private const int AtOnce = 10;
    private const int CallsAtOnce = 200;
    private const int CallsPerSecond = 20;
    private const string Audit = "audit";
    private const string Call = "call.";

    private readonly ConcurrentDictionary<(string Category, int Id, LogLevel Level), TokenBucket> _buckets = new();

    private readonly Counter<long> _suppressed = factory.Create("WebRtcIms.Telemetry")
        .CreateCounter<long>("telemetry.logs.suppressed", description: "Log records left out because the same event had come too often");

    public override bool ShouldSample<TState>(in LogEntry<TState> logEntry)
    {
        // Debug and trace records are off unless an operator asks for all of them.
        if (logEntry.LogLevel < LogLevel.Information || IsNamed(logEntry.EventId, Audit)) return true;
        var isOfCall = IsNamed(logEntry.EventId, Call);
        var bucket = _buckets.GetOrAdd(
            (logEntry.Category, logEntry.EventId.Id, logEntry.LogLevel),
            _ => isOfCall ? new(CallsAtOnce, CallsPerSecond, time) : new(AtOnce, perSecond: 1, time));
        if (bucket.TryAcquire()) return true;
        _suppressed.Add(1, new KeyValuePair<string, object?>("category", logEntry.Category));
        return false;
    }

    private static bool IsNamed(EventId id, string beginning) => id.Name?.StartsWith(beginning, StringComparison.Ordinal) is true;
}
