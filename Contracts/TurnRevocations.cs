using StackExchange.Redis;

namespace WebRtcIms.Contracts;

/// <summary>
/// Revocations of a token, of all tokens of a client or of a session, or of a long-term key, from the authorization server and the
/// operators to all TURN nodes. The sorted set <c>turn:revoked</c> holds the names with the Unix time of their expiry. Each is
/// also published on <c>turn:revocations</c>, so that it has effect at once.
/// </summary>
public static class TurnRevocations
{
    /// <summary>The sorted set.</summary>
    public const string Key = "turn:revoked";

    /// <summary>
    /// The name of the tokens of all clients. This revocation, and that of a client, concerns the tokens made before it:
    /// clients can get new ones. So it is kept for <see cref="TokenLimits.LongestLifetime"/>.
    /// </summary>
    public const string All = "all";

    private const string SessionPrefix = "session:";

    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(5);

    /// <summary>Messages are <c>{until} {name}</c>.</summary>
    public static RedisChannel Channel { get; } = RedisChannel.Literal("turn:revocations");

    public static string OfKey(string keyId) => $"key:{keyId}";

    /// <summary>A token's name is its kid and the base64url of its nonce.</summary>
    public static string OfToken(string keyId, string tokenId) => $"token:{keyId}:{tokenId}";

    public static string OfClient(string clientId) => $"client:{clientId}";

    /// <summary>
    /// A session at a WWSF, by its pseudonym. While the revocation is kept, all its tokens are refused, also new ones. The eP-CSCF ends its
    /// registrations.
    /// </summary>
    public static string OfSession(string pseudonym) => SessionPrefix + pseudonym;

    /// <summary>The pseudonym of the session that is revoked; null for other revocations.</summary>
    public static string? SessionOf(string name) =>
        name.StartsWith(SessionPrefix, StringComparison.Ordinal) ? name[SessionPrefix.Length..] : null;

    /// <summary>Notifies all nodes, also those that start later.</summary>
    /// <exception cref="RedisException">Redis does not answer.</exception>
    public static async Task WriteAsync(IDatabase redis, string name, DateTimeOffset until, DateTimeOffset now)
    {
        var batch = redis.CreateBatch();
        var added = batch.SortedSetAddAsync(Key, name, until.ToUnixTimeSeconds());
        var expired = batch.SortedSetRemoveRangeByScoreAsync(Key, double.NegativeInfinity, now.ToUnixTimeSeconds(), Exclude.Stop);
        var kept = batch.KeyExpireAsync(Key, TokenLimits.RevokedKeyRetention);
        batch.Execute();
        await Task.WhenAll(added, expired, kept).ConfigureAwait(false);
        await redis.PublishAsync(Channel, Message(name, until)).ConfigureAwait(false);
    }

    /// <summary>
    /// Passes revocations to a handler until cancellation. It passes a published revocation at once. Every five seconds it reads all that
    /// Redis holds, because a process receives nothing that is published before it subscribes. The handler gets a revocation repeatedly.
    /// </summary>
    /// <param name="redis">Redis, which may be down.</param>
    /// <param name="handle">Takes the name and the end of a revocation. It does not throw.</param>
    /// <param name="time">The time.</param>
    /// <param name="cancellation">Ends the polls.</param>
    public static async Task FollowAsync(
        IConnectionMultiplexer redis, Func<string, DateTimeOffset, Task> handle, TimeProvider time, CancellationToken cancellation)
    {
        // The client subscribes when it has connected.
        redis.GetSubscriber().Subscribe(Channel, (channel, message) =>
        {
            if (TryRead(message, out var name, out var until)) _ = handle(name, until);
        }, CommandFlags.FireAndForget);
        using var timer = new PeriodicTimer(PollInterval, time);
        try
        {
            do await PollAsync(redis.GetDatabase(), handle, time.GetUtcNow()).ConfigureAwait(false);
            while (await timer.WaitForNextTickAsync(cancellation).ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            // The process stops.
        }
    }

    public static string Message(string name, DateTimeOffset until) => FormattableString.Invariant($"{until.ToUnixTimeSeconds()} {name}");

    /// <summary>Reads a message of the channel; false if it is malformed.</summary>
    public static bool TryRead(string? message, out string name, out DateTimeOffset until)
    {
        (name, until) = ("", default);
        var space = message?.IndexOf(' ', StringComparison.Ordinal) ?? -1;
        if (space <= 0 || !long.TryParse(message.AsSpan(0, space), out var seconds) || seconds is < 0 or > 253402300799) return false;
        name = message![(space + 1)..];
        until = DateTimeOffset.FromUnixTimeSeconds(seconds);
        return name.Length > 0;
    }

    private static async Task PollAsync(IDatabase redis, Func<string, DateTimeOffset, Task> handle, DateTimeOffset now)
    {
        try
        {
            var revoked = await redis.SortedSetRangeByScoreWithScoresAsync(Key, now.ToUnixTimeSeconds()).ConfigureAwait(false);
            foreach (var entry in revoked)
                await handle((string)entry.Element!, DateTimeOffset.FromUnixTimeSeconds((long)entry.Score)).ConfigureAwait(false);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // The health check reports it. The next poll reads them.
        }
    }
}
