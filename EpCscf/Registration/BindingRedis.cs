using StackExchange.Redis;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>The Redis that all replicas share. It may be away: then a command gives nothing, and the log says so once.</summary>
internal sealed partial class BindingRedis(IConnectionMultiplexer redis, ILogger<BindingRedis> logger)
{
    private int _isAway;

    /// <summary>Whether an exception says that Redis is away, as opposed to a bug.</summary>
    public static bool IsFailure(Exception error) => error is RedisException or TimeoutException or ObjectDisposedException;

    /// <summary>Runs a command with a span. The default value if Redis does not answer.</summary>
    public async Task<T?> TryAsync<T>(string command, Func<IDatabase, Task<T>> action)
    {
        using var span = RedisCommand.Start(command);
        try
        {
            var result = await action(redis.GetDatabase());
            if (Interlocked.Exchange(ref _isAway, 0) == 1) LogAvailable();
            return result;
        }
        catch (Exception error) when (IsFailure(error))
        {
            span.Fail(error);
            if (Interlocked.Exchange(ref _isAway, 1) == 0) LogUnavailable(error.GetType().Name);
            return default;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Redis does not answer ({Error}); only the registrations of this process are known")]
    private partial void LogUnavailable(string error);

    [LoggerMessage(2, LogLevel.Information, "Redis answers again")]
    private partial void LogAvailable();
}
