namespace WebRtcIms.Waf.Rings;

internal enum KeyState
{
    /// <summary>TURN servers get it already; no token is issued with it yet.</summary>
    Next,

    /// <summary>Tokens are issued with it.</summary>
    Current,

    /// <summary>Its tokens are accepted until the last one is dead.</summary>
    Retired,
}

/// <summary>A key of a ring with its times.</summary>
/// <param name="Material">The key.</param>
/// <param name="CurrentAt">When it becomes current.</param>
/// <param name="RetiresAt">When the key after it becomes current; null while there is none.</param>
/// <param name="Retirement">How long it lives from then on.</param>
internal sealed record RingKey(KeyMaterial Material, DateTimeOffset CurrentAt, DateTimeOffset? RetiresAt, TimeSpan Retirement)
{
    public string Kid => Material.Kid;

    public KeyState StateAt(DateTimeOffset now) =>
        CurrentAt > now ? KeyState.Next : RetiresAt <= now ? KeyState.Retired : KeyState.Current;

    public bool IsAliveAt(DateTimeOffset now) => RetiresAt is not { } end || end + Retirement > now;
}
