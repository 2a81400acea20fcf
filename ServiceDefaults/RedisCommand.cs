namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// One Redis command, from its creation to its disposal: a client span if the trace is sampled, and always a measured duration. Both have
/// the names of OpenTelemetry's database conventions.
/// </summary>
public sealed class RedisCommand : IDisposable
{
    internal const string MeterName = "WebRtcIms.Redis";

    private static readonly ActivitySource Source = ServiceTelemetry.Source("Redis");
    private static readonly Meter Meter = new(MeterName);

    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>(
        "db.client.operation.duration", "s", "Redis commands, by operation and failure",
        advice: new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
        });

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

    /// <summary>
    /// Starts a command, such as <c>SET</c>, as a child of the current span. A command of background work has none, and would fill the
    /// list of traces with itself.
    /// </summary>
    public static RedisCommand Start(string command) =>
        new(command, Activity.Current is null ? null : Source.StartActivity(command, ActivityKind.Client));

    /// <summary>
    /// Records a finished command as a child of <paramref name="parent"/>. The text of a failure must be a constant, because it is a
    /// metric's tag.
    /// </summary>
    public static void Record(string command, Activity? parent, DateTimeOffset began, DateTimeOffset ended, string? failure)
    {
        // Without a parent, the span would start a trace of its own.
        using var activity = parent is null ? null : Source.StartActivity(command, ActivityKind.Client, parent.Context, startTime: began);
        var past = new RedisCommand(command, activity) { _failure = failure };
        activity?.SetEndTime(ended.UtcDateTime);
        past.Measure(ended - began);
    }

    /// <summary>The command failed. Only the exception's type is recorded: its message may contain an address.</summary>
    public void Fail(Exception error) => _failure = error.GetType().Name;

    public void Dispose()
    {
        Measure(Stopwatch.GetElapsedTime(_started));
        _activity?.Dispose();
    }

    // Called while the span is current, so that it becomes the exemplar of the measurement.
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
