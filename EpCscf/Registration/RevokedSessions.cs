using StackExchange.Redis;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>
/// Sessions at the WWSF that have ended: their tokens are refused. They are kept in this process, and for all replicas in Redis under
/// <c>ims:revoked:{session}</c>, where the session is a keyed hash.
/// </summary>
internal sealed class RevokedSessions(BindingNames names, TimeProvider time, BindingRedis? redis = null)
{
    /// <summary>No token lives longer.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(24);

    private static readonly TimeSpan PurgeInterval = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, DateTimeOffset> _revoked = new();
    private long _purgeAt;

    public async ValueTask AddAsync(string sessionId)
    {
        var now = time.GetUtcNow();
        Purge(now);
        _revoked[sessionId] = now + Lifetime;
        if (redis is not null) await redis.TryAsync("SET", database => database.StringSetAsync(KeyOf(sessionId), "1", Lifetime));
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
