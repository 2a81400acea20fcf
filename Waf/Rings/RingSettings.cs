using WebRtcIms.Stun.OAuth;

namespace WebRtcIms.Waf.Rings;

/// <summary>What the settings say of the keys of a TURN server.</summary>
/// <param name="Server">The name of the TURN server.</param>
/// <param name="Kid">The name of the static key, or the prefix of the names of the keys.</param>
/// <param name="Algorithm">The AEAD algorithm of new keys.</param>
/// <param name="TokenLifetime">The longest lifetime of a token.</param>
internal sealed record RingSettings(string Server, string Kid, AccessTokenAlgorithm Algorithm, TimeSpan TokenLifetime)
{
    /// <summary>The longest prefix, in octets: a dot and a number follow it.</summary>
    public const int MaxPrefixLength = 108;

    /// <summary>How long a key is current.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromDays(1);

    /// <summary>TURN servers get a key at least this long before tokens are issued with it.</summary>
    public TimeSpan LeadTime { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>The only key; null for a ring in the store.</summary>
    public byte[]? StaticKey { get; init; }

    /// <summary>The name of the ring in the store.</summary>
    public string Ring => $"turn/{Server}";

    public string KidOf(long number) => FormattableString.Invariant($"{Kid}.{number}");

    /// <summary>
    /// How long a key lives after the next one has become current: until its last token is dead (RFC 7635 §7 adds Delta). The last token may
    /// be one of a replica that cannot read the store, and so learns late of a rotation. It has the lead time.
    /// </summary>
    public TimeSpan RetirementOf(TimeSpan tokenLifetime) => tokenLifetime + AccessToken.ClockDelta + LeadTime;

    public override string ToString() => Ring;
}
