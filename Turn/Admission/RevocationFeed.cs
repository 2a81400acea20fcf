using StackExchange.Redis;
using WebRtcIms.Contracts;

namespace WebRtcIms.Turn.Admission;

/// <summary>
/// Gives revocations effect on this node: what is published is known at once, and what was published while this node did not
/// listen is read from Redis soon after. The allocations of what is revoked end.
/// </summary>
/// <param name="revocations">The revocations that this node knows.</param>
/// <param name="endRevoked">Ends the allocations that they cover, and returns how many.</param>
/// <param name="time">The time.</param>
/// <param name="logger">The log.</param>
/// <param name="redis">Null when there is no Redis.</param>
internal sealed partial class RevocationFeed(
    Revocations revocations, Func<int> endRevoked, TimeProvider time, ILogger<RevocationFeed> logger, IConnectionMultiplexer? redis = null)
    : BackgroundService
{
    private static readonly TimeSpan ReadInterval = TimeSpan.FromSeconds(5);

    /// <summary>Revokes here and, when there is Redis, everywhere. False when the others could not be told.</summary>
    public async Task<bool> RevokeAsync(string name, DateTimeOffset until)
    {
        Apply(name, until);
        if (redis is null) return true;
        try
        {
            await TurnRevocations.WriteAsync(redis.GetDatabase(), name, until, time.GetUtcNow()).ConfigureAwait(false);
            return true;
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            LogNotTold(error.GetType().Name);
            return false;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (redis is null) return;

        // Not waited for: Redis may be down, and the subscription is made once it is there.
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
        catch (Exception error) when (error is RedisException or TimeoutException or ArgumentOutOfRangeException)
        {
            // Health and the token cache say it; what is known stays known.
        }
    }

    private void Apply(string name, DateTimeOffset until)
    {
        if (!revocations.Add(name, until)) return;
        LogRevoked(name, until.UtcDateTime, endRevoked());
    }

    [LoggerMessage(1, LogLevel.Warning, "Revoked until {Until:u}: {Name}; {Allocations} allocations ended")]
    private partial void LogRevoked(string name, DateTime until, int allocations);

    [LoggerMessage(2, LogLevel.Error, "Redis does not answer ({Error}): the revocation is known to this node alone")]
    private partial void LogNotTold(string error);
}
