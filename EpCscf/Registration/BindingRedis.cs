using StackExchange.Redis;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>The Redis that all replicas share.</summary>
internal sealed class BindingRedis(IConnectionMultiplexer redis, ILogger<BindingRedis> logger)
{
    private readonly RedisAvailability _availability = new(logger, "only the registrations of this process are known");

    /// <summary>Runs a command with a span. The default value if Redis does not answer.</summary>
    public async Task<T?> TryAsync<T>(string command, Func<IDatabase, Task<T>> action)
    {
        using var span = RedisCommand.Start(command);
        try
        {
            var result = await action(redis.GetDatabase());
            _availability.Answered();
            return result;
        }
        catch (Exception error) when (RedisAvailability.IsFailure(error))
        {
            span.Fail(error);
            _availability.Failed(error);
            return default;
        }
    }
}
