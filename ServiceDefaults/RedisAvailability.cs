using StackExchange.Redis;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Logs once when Redis stops answering, with the consequence, and once when it answers again. Each request that Redis did not answer in
/// between has a record in its own trace, within the limit for one event.
/// </summary>
/// <param name="logger">The logger of the part that uses Redis.</param>
/// <param name="consequence">What does not work meanwhile, as the end of a sentence.</param>
public sealed partial class RedisAvailability(ILogger logger, string consequence)
{
    private int _isAway;

    /// <summary>
    /// Whether an exception says that Redis is away, as opposed to a bug. What answers in its place may answer with another type, and after
    /// a broken frame the answer is that to another command.
    /// </summary>
    public static bool IsFailure(Exception error) =>
        error is RedisException or TimeoutException or ObjectDisposedException or InvalidCastException or FormatException;

    public void Answered()
    {
        if (Volatile.Read(ref _isAway) == 1 && Interlocked.Exchange(ref _isAway, 0) == 1) LogAvailable(logger);
    }

    public void Failed(Exception error)
    {
        if (Interlocked.Exchange(ref _isAway, 1) == 0) LogUnavailable(logger, Reason(error), consequence);
        else if (Activity.Current is { Recorded: true }) LogStillUnavailable(logger, Reason(error), consequence);
    }

    // The first word of what Redis answers is the reason: READONLY, LOADING, OOM, NOAUTH. The rest may have a key in it.
    private static string Reason(Exception error) =>
        error is RedisServerException ? $"{error.GetType().Name}: {error.Message.Split(' ')[0]}" : error.GetType().Name;

    [LoggerMessage(101, LogLevel.Warning, "Redis does not answer ({Error}); {Consequence}")]
    private static partial void LogUnavailable(ILogger logger, string error, string consequence);

    [LoggerMessage(103, LogLevel.Information, "Redis still does not answer ({Error}); {Consequence}")]
    private static partial void LogStillUnavailable(ILogger logger, string error, string consequence);

    [LoggerMessage(102, LogLevel.Information, "Redis answers again")]
    private static partial void LogAvailable(ILogger logger);
}
