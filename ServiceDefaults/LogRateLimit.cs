using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Lets each event be written ten times at once and then once a second: who can cause an event can cause a million, and must
/// neither fill a disk with it nor push everything else out. What was left out is counted.
/// </summary>
internal sealed class LogRateLimit(TimeProvider clock, IMeterFactory factory) : LoggingSampler
{
    private const int AtOnce = 10;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<(string Category, int Id, LogLevel Level), Bucket> _buckets = new();

    private readonly Counter<long> _suppressed = factory.Create("WebRtcIms.Telemetry")
        .CreateCounter<long>("telemetry.logs.suppressed", description: "Log records left out because the same event had come too often");

    public override bool ShouldSample<TState>(in LogEntry<TState> logEntry)
    {
        // Who asks for details wants all of them.
        if (logEntry.LogLevel < LogLevel.Information) return true;
        var bucket = _buckets.GetOrAdd((logEntry.Category, logEntry.EventId.Id, logEntry.LogLevel), _ => new Bucket());
        if (bucket.TryTake(clock)) return true;
        _suppressed.Add(1, new KeyValuePair<string, object?>("category", logEntry.Category));
        return false;
    }

    private sealed class Bucket
    {
        private readonly Lock _gate = new();
        private double _tokens = AtOnce;
        private long _at;

        public bool TryTake(TimeProvider clock)
        {
            lock (_gate)
            {
                var now = clock.GetTimestamp();
                if (_at != 0) _tokens = Math.Min(AtOnce, _tokens + (clock.GetElapsedTime(_at, now) / Interval));
                _at = now;
                if (_tokens < 1) return false;
                _tokens--;
                return true;
            }
        }
    }
}
