using WebRtcIms.Waf.Stores;

namespace WebRtcIms.Waf.Rings;

/// <summary>
/// The keys of one TURN server as this replica knows them. States follow from times, so all replicas change over at the same time without a
/// message. A server with a static key has only that one.
/// </summary>
internal sealed class KeyRing
{
    // The keys of the settings do not expire. A response is valid for this time: a server that cannot fetch again by then is cut off.
    private static readonly TimeSpan StaticValidity = TimeSpan.FromDays(1);

    private volatile RingKey[] _keys = [];

    public KeyRing(RingSettings settings)
    {
        Settings = settings;
        if (settings.StaticKey is not { } key) return;
        var material = new KeyMaterial(settings.Kid, settings.Algorithm, key, maxUses: KeyMaterial.MaxStaticUses);
        _keys = [new RingKey(material, DateTimeOffset.MinValue, RetiresAt: null, Retirement: StaticValidity)];
    }

    public RingSettings Settings { get; }

    public bool Rotates => Settings.StaticKey is null;

    /// <summary>All keys that are known, also dead ones which the store still has.</summary>
    public IReadOnlyList<RingKey> Keys => _keys;

    /// <summary>The newest key whose time has come.</summary>
    public RingKey GetCurrent(DateTimeOffset now)
    {
        var keys = _keys;
        for (var i = keys.Length - 1; i >= 0; i--)
        {
            if (keys[i].CurrentAt <= now) return keys[i];
        }

        // After a revocation at a replica whose clock is ahead of ours.
        return keys[0];
    }

    /// <summary>The keys that TURN servers need now: next, current, and retired ones whose last token may be alive.</summary>
    public IEnumerable<RingKey> GetAlive(DateTimeOffset now) => _keys.Where(key => key.IsAliveAt(now));

    /// <summary>When a key and its last token expire, as far as this is known now.</summary>
    public DateTimeOffset GetExpiry(RingKey key, DateTimeOffset now)
    {
        if (!Rotates) return now + key.Retirement;
        if (key.RetiresAt is { } retires) return retires + key.Retirement;
        // While the store cannot be written there is no next key, and the current one stays.
        var planned = key.CurrentAt + Settings.Interval;
        return (planned > now ? planned : now) + key.Retirement;
    }

    /// <summary>Replaces the keys by those of the store. Keys that are known already keep their count of uses.</summary>
    /// <param name="rows">The rows of the ring.</param>
    /// <param name="read">Decrypts a key.</param>
    public void Replace(IReadOnlyList<StoredKey> rows, Func<StoredKey, KeyMaterial> read)
    {
        var known = _keys.ToDictionary(key => key.Kid, key => key.Material);
        var alive = rows.Where(row => row.RevokedAt is null).OrderBy(row => row.Number).ToList();
        _keys = [.. alive.Select((row, i) => new RingKey(
            known.GetValueOrDefault(row.Kid) ?? read(row),
            DateTimeOffset.FromUnixTimeSeconds(row.CurrentAt),
            i + 1 < alive.Count ? DateTimeOffset.FromUnixTimeSeconds(alive[i + 1].CurrentAt) : null,
            Settings.RetirementOf(TimeSpan.FromSeconds(row.TokenLifetime))))];
    }
}
