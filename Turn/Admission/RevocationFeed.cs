using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Turn.Admission;

/// <summary>
/// Applies revocations to this node. A published revocation has effect at once. The feed also polls Redis for those that were published
/// while this node was not subscribed. The allocations of revoked tokens end.
/// </summary>
/// <param name="revocations">The revocations that this node knows.</param>
/// <param name="endRevoked">Ends the allocations of revoked tokens, and returns their number.</param>
/// <param name="time">The time.</param>
/// <param name="logger">The log.</param>
/// <param name="redis">Null when there is no Redis.</param>
internal sealed partial class RevocationFeed(
    Revocations revocations, Func<int> endRevoked, TimeProvider time, ILogger<RevocationFeed> logger, IConnectionMultiplexer? redis = null)
    : BackgroundService
{
    private static readonly TimeSpan ReadInterval = TimeSpan.FromSeconds(5);

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

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (redis is null) return;

        // Redis may be down now. The client subscribes when it has connected.
        redis.GetSubscriber().Subscribe(TurnRevocations.Channel, (_, message) =>
        {
            if (TurnRevocations.TryRead(message, out var name, out var until)) Apply(name, until);
        }, CommandFlags.FireAndForget);
        using var timer = new PeriodicTimer(ReadInterval, time);
        try
        {
            do await ReadAsync();
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException)
        {
            // The process stops.
        }
    }

    private async Task ReadAsync()
    {
        try
        {
            var revoked = await redis!.GetDatabase()
                .SortedSetRangeByScoreWithScoresAsync(TurnRevocations.Key, time.GetUtcNow().ToUnixTimeSeconds());
            foreach (var entry in revoked) Apply((string)entry.Element!, DateTimeOffset.FromUnixTimeSeconds((long)entry.Score));
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // The health check and the token cache report it. The known revocations stay.
        }
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
