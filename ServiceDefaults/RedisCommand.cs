using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// One Redis command, from its making to its disposal: a client span where the trace is sampled, and a measured duration in any
/// case. Both are named as OpenTelemetry's database conventions have it.
/// </summary>
public sealed class RedisCommand : IDisposable
{
    internal const string MeterName = "WebRtcIms.Redis";

    private static readonly ActivitySource Source = ServiceTelemetry.Source("Redis");
    private static readonly Meter Meter = new(MeterName);

    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>(
        "db.client.operation.duration", "s", "Redis commands, by operation and failure",
        advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1] });

    private readonly string _command;
    private readonly Activity? _activity;
    private readonly long _started = Stopwatch.GetTimestamp();
    private string? _failure;

    private RedisCommand(string command, Activity? activity)
    {
        _command = command;
        _activity = activity;
        activity?.SetTag("db.system.name", "redis");
        activity?.SetTag("db.operation.name", command);
    }

    /// <summary>Begins a command, such as <c>SET</c>, below the current span.</summary>
    public static RedisCommand Start(string command) => new(command, Source.StartActivity(command, ActivityKind.Client));

    /// <summary>Tells afterwards of a command that is over, below the span that it belongs to; a failure in words that are the same each time.</summary>
    public static void Record(string command, Activity? parent, DateTimeOffset began, DateTimeOffset ended, string? failure)
    {
        // Where the parent is not traced, a span would begin a trace of its own.
        using var activity = parent is null ? null : Source.StartActivity(command, ActivityKind.Client, parent.Context, startTime: began);
        var past = new RedisCommand(command, activity) { _failure = failure };
        activity?.SetEndTime(ended.UtcDateTime);
        past.Measure(ended - began);
    }

    /// <summary>The command failed; an exception's type is enough, its message might have an address.</summary>
    public void Fail(Exception error) => _failure = error.GetType().Name;

    public void Dispose()
    {
        Measure(Stopwatch.GetElapsedTime(_started));
        _activity?.Dispose();
    }

    // While the span is the current one, so that the measurement leads to it.
    private void Measure(TimeSpan duration)
    {
        var tags = new TagList { { "db.system.name", "redis" }, { "db.operation.name", _command } };
        if (_failure is not null)
        {
            tags.Add("error.type", _failure);
            _activity?.SetStatus(ActivityStatusCode.Error, _failure);
        }
        Duration.Record(duration.TotalSeconds, tags);
    }
}
