using StackExchange.Redis;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// What the authorization server and the operators tell all TURN nodes: that a token, all tokens of a client, or a long-term key
/// are revoked. The sorted set <c>turn:revoked</c> holds the names with the Unix time until which they matter; each is also
/// published on <c>turn:revocations</c>, so that it has effect at once.
/// </summary>
public static class TurnRevocations
{
    /// <summary>The sorted set.</summary>
    public const string Key = "turn:revoked";

    /// <summary>The name of all tokens, whichever client got them.</summary>
    public const string All = "all";

    /// <summary>
    /// No token lives longer. The revocation of a client, or of <see cref="All"/>, matters for as long, and concerns the tokens made before
    /// it: clients go on with new ones.
    /// </summary>
    public static readonly TimeSpan LongestToken = TimeSpan.FromDays(1);

    /// <summary>A key is to be taken out of the settings of all parts within that time.</summary>
    public static readonly TimeSpan KeyRetention = TimeSpan.FromDays(30);

    /// <summary>Messages are <c>{until} {name}</c>.</summary>
    public static RedisChannel Channel { get; } = RedisChannel.Literal("turn:revocations");

    public static string OfKey(string keyId) => $"key:{keyId}";

    /// <summary>A token's name is its kid and the base64url of its nonce.</summary>
    public static string OfToken(string keyId, string tokenId) => $"token:{keyId}:{tokenId}";

    public static string OfClient(string clientId) => $"client:{clientId}";

    /// <summary>Tells all nodes, those that start later included. Fails as every Redis command does.</summary>
    public static async Task WriteAsync(IDatabase redis, string name, DateTimeOffset until, DateTimeOffset now)
    {
        var batch = redis.CreateBatch();
        var added = batch.SortedSetAddAsync(Key, name, until.ToUnixTimeSeconds());
        var expired = batch.SortedSetRemoveRangeByScoreAsync(Key, double.NegativeInfinity, now.ToUnixTimeSeconds(), Exclude.Stop);
        var kept = batch.KeyExpireAsync(Key, KeyRetention);
        batch.Execute();
        await Task.WhenAll(added, expired, kept).ConfigureAwait(false);
        await redis.PublishAsync(Channel, Message(name, until)).ConfigureAwait(false);
    }

    public static string Message(string name, DateTimeOffset until) => FormattableString.Invariant($"{until.ToUnixTimeSeconds()} {name}");

    /// <summary>Reads a message of the channel; false when it is none.</summary>
    public static bool TryRead(string? message, out string name, out DateTimeOffset until)
    {
        (name, until) = ("", default);
        var space = message?.IndexOf(' ', StringComparison.Ordinal) ?? -1;
        if (space <= 0 || !long.TryParse(message.AsSpan(0, space), out var seconds) || seconds is < 0 or > 253402300799) return false;
        name = message![(space + 1)..];
        until = DateTimeOffset.FromUnixTimeSeconds(seconds);
        return name.Length > 0;
    }
}
