using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Turn.Admission;

/// <summary>Applies the revocations of Redis and of this node's operator. The allocations of revoked tokens end.</summary>
/// <param name="revocations">The revocations that this node knows.</param>
/// <param name="endRevoked">Ends the allocations of revoked tokens, and returns their number.</param>
/// <param name="time">The time.</param>
/// <param name="logger">The log.</param>
/// <param name="redis">Null when there is no Redis.</param>
internal sealed partial class RevocationFeed(
    Revocations revocations, Func<int> endRevoked, TimeProvider time, ILogger<RevocationFeed> logger, IConnectionMultiplexer? redis = null)
    : BackgroundService
{
    /// <summary>Revokes here and, with Redis, at all nodes. False when the other nodes could not be notified.</summary>
    public async Task<bool> RevokeAsync(string name, DateTimeOffset until)
    {
        Apply(name, until);
        if (redis is null) return true;
        try
        {
            await TurnRevocations.WriteAsync(redis.GetDatabase(), name, until, time.GetUtcNow()).ConfigureAwait(false);
            return true;
        }
        catch (Exception error) when (RedisAvailability.IsFailure(error))
        {
            LogNotShared(error.GetType().Name);
            return false;
        }
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        redis is null ? Task.CompletedTask : TurnRevocations.FollowAsync(redis, HandleAsync, time, stoppingToken);

    private Task HandleAsync(string name, DateTimeOffset until)
    {
        Apply(name, until);
        return Task.CompletedTask;
    }

    private void Apply(string name, DateTimeOffset until)
    {
        if (!revocations.Add(name, until)) return;
        LogRevoked(name, until.UtcDateTime, endRevoked());
    }

    [LoggerMessage(1, LogLevel.Warning, "Revoked until {Until:u}: {Name}; {Allocations} allocations ended")]
    private partial void LogRevoked(string name, DateTime until, int allocations);

    [LoggerMessage(2, LogLevel.Error, "Redis does not answer ({Error}): the revocation is only known to this node")]
    private partial void LogNotShared(string error);
}
