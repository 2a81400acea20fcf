using System.Security.Cryptography;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Waf.Stores;

namespace WebRtcIms.Waf.Rings;

/// <summary>
/// One change of the rows of a ring. The rules:
/// <list type="bullet">
/// <item>A ring has a current key and a next one. The next key is created as soon as the one before it is current.</item>
/// <item>A key becomes current at its time, which a rotation on demand or a revocation brings forward.</item>
/// <item>A retired key is deleted when its last token is dead.</item>
/// </list>
/// Replicas that make the same change at the same time add a row with the same number. The store accepts one of them.
/// </summary>
internal sealed class RingChange(
    WafDatabase store, RingSettings settings, List<StoredKey> rows, KeyProtection protection, long now, string actor)
{
    public const string Created = "key.created";
    public const string Advanced = "key.advanced";
    public const string Rotated = "key.rotated";
    public const string Retired = "key.retired";
    public const string Revoked = "key.revoked";
    public const string Deleted = "key.deleted";

    private readonly List<AuditEntry> _audit = [];

    /// <summary>The rows of the ring, by number.</summary>
    public IReadOnlyList<StoredKey> Rows => rows;

    /// <summary>What was done.</summary>
    public IReadOnlyList<AuditEntry> Audit => _audit;

    private List<StoredKey> Alive => [.. rows.Where(row => row.RevokedAt is null)];

    /// <summary>Creates the keys that the ring should have, and deletes the dead ones.</summary>
    public void Maintain()
    {
        if (Alive.Count == 0) Add(currentAt: now);
        if (Alive[^1] is var last && last.CurrentAt <= now) AddNext(last);
        foreach (var key in Alive.Where(key => EndOf(key) is not { } end || end > now)) RaiseTokenLifetime(key);
        foreach (var key in rows.Where(IsDead).ToList()) Delete(key);
    }

    /// <summary>
    /// Makes the next key current when its lead time has passed, and returns its name. Does nothing if the next key is not the one that was
    /// <paramref name="expected"/>: then another replica has rotated.
    /// </summary>
    public string Rotate(string? expected)
    {
        Maintain();
        var next = Alive[^1];
        if (expected is not null && expected != next.Kid) return expected;
        var at = Math.Max(now, next.CreatedAt + (long)settings.LeadTime.TotalSeconds);
        if (at >= next.CurrentAt) return next.Kid;
        next.CurrentAt = at;
        if (at <= now) AddNext(next);
        else AddAudit(Advanced, next);
        return next.Kid;
    }

    /// <summary>Revokes a key. If it is current, the next key becomes current now. Returns false for an unknown key.</summary>
    public bool Revoke(string kid)
    {
        if (rows.Find(row => row.Kid == kid) is not { } key) return false;
        if (key.RevokedAt is not null) return true;
        Maintain();
        var isCurrent = Alive.FindLast(row => row.CurrentAt <= now) == key;
        (key.RevokedAt, key.ProtectedKey) = (now, []);
        AddAudit(Revoked, key);
        if (isCurrent && Alive[^1] is var next) next.CurrentAt = Math.Min(next.CurrentAt, now);
        Maintain();
        return true;
    }

    private void AddNext(StoredKey last)
    {
        // Not where the next key was revoked: this one has been current for some time.
        if (last == rows[^1] && last.Number > 1)
        {
            AddAudit(Rotated, last);
            if (Alive.Find(row => row.Number == last.Number - 1) is { } retired) AddAudit(Retired, retired);
        }

        // The ring is late after the WAF was down. TURN servers still need the lead time.
        Add(Math.Max(last.CurrentAt + (long)settings.Interval.TotalSeconds, now + (long)settings.LeadTime.TotalSeconds));
    }

    private void Add(long currentAt)
    {
        var number = rows.Count == 0 ? 1 : rows[^1].Number + 1;
        var kid = settings.KidOf(number);
        var key = new StoredKey
        {
            Ring = settings.Ring,
            Number = number,
            Kid = kid,
            Algorithm = settings.Algorithm.Name(),
            ProtectedKey = protection.Protect(settings.Ring, kid, RandomNumberGenerator.GetBytes(settings.Algorithm.KeyLength())),
            CreatedAt = now,
            CurrentAt = currentAt,
            TokenLifetime = (long)settings.TokenLifetime.TotalSeconds,
        };
        rows.Add(key);
        store.Add(key);
        AddAudit(Created, key);
    }

    // Its value at issue counts. Settings that shorten it do not shorten tokens that exist.
    private void RaiseTokenLifetime(StoredKey key) =>
        key.TokenLifetime = Math.Max(key.TokenLifetime, (long)settings.TokenLifetime.TotalSeconds);

    private bool IsDead(StoredKey key) => key.RevokedAt is { } revoked
        ? revoked + (long)TokenLimits.RevokedKeyRetention.TotalSeconds <= now
        : EndOf(key) is { } retired
            && retired + (long)settings.RetirementOf(TimeSpan.FromSeconds(key.TokenLifetime)).TotalSeconds <= now;

    // When the key after it becomes current.
    private long? EndOf(StoredKey key) => Alive.Find(row => row.Number > key.Number)?.CurrentAt;

    private void Delete(StoredKey key)
    {
        rows.Remove(key);
        store.Remove(key);
        AddAudit(Deleted, key);
    }

    private void AddAudit(string action, StoredKey key)
    {
        var entry = new AuditEntry { At = now, Actor = actor, Action = action, Subject = key.Kid };
        _audit.Add(entry);
        store.Add(entry);
    }
}
