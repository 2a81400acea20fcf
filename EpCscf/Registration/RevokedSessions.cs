using StackExchange.Redis;
using WebRtcIms.Contracts;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>
/// Sessions at the WWSF that have ended: their tokens are refused. They are kept in this process, and for all replicas in Redis under
/// <c>ims:revoked:{session}</c>, where the session is a keyed hash.
/// </summary>
internal sealed class RevokedSessions(BindingNames names, TimeProvider time, BindingRedis? redis = null)
{
    /// <summary>No token lives longer.</summary>
    public static readonly TimeSpan Lifetime = TokenLimits.LongestLifetime;

    private static readonly TimeSpan PurgeInterval = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, DateTimeOffset> _revoked = new();
    private long _purgeAt;

    /// <summary>Refuses the tokens of the session here and, with Redis, at all replicas.</summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="until">When its last token has expired. Without it the session is kept for the longest lifetime of a token.</param>
    public async ValueTask AddAsync(string sessionId, DateTimeOffset? until = null)
    {
        if (Add(sessionId, until) is not { } left || redis is null) return;
        await redis.TryAsync("SET", database => database.StringSetAsync(KeyOf(sessionId), "1", left));
    }

    /// <summary>Refuses the tokens of the session at this replica.</summary>
    /// <returns>For how long; null if all its tokens have expired.</returns>
    public TimeSpan? Add(string sessionId, DateTimeOffset? until)
    {
        var now = time.GetUtcNow();
        Purge(now);
        var left = until is { } end && end < now + Lifetime ? end - now : Lifetime;
        if (left <= TimeSpan.Zero) return null;
        _revoked.AddOrUpdate(sessionId, now + left, (_, before) => before > now + left ? before : now + left);
        return left;
    }

    public async ValueTask<bool> ContainsAsync(string sessionId) =>
        (_revoked.TryGetValue(sessionId, out var until) && until > time.GetUtcNow())
        || (redis is not null && await redis.TryAsync("EXISTS", database => database.KeyExistsAsync(KeyOf(sessionId))));

    private RedisKey KeyOf(string sessionId) => $"ims:revoked:{names.Session(sessionId)}";

    // Strangers can end many sessions, so not for each one.
    private void Purge(DateTimeOffset now)
    {
        var purgeAt = Interlocked.Read(ref _purgeAt);
        if (now.Ticks < purgeAt || Interlocked.CompareExchange(ref _purgeAt, (now + PurgeInterval).Ticks, purgeAt) != purgeAt) return;
        foreach (var old in _revoked.Where(entry => entry.Value <= now)) _revoked.TryRemove(old);
    }
}
