using System.Text;
using WebRtcIms.Stun.OAuth;

namespace WebRtcIms.Waf.Rings;

/// <summary>What the settings say of the keys of a TURN server, or of those for registration tokens.</summary>
/// <param name="Name">The name of the TURN server, or the home domain.</param>
/// <param name="Kid">The name of the static key, or the prefix of the names of the keys.</param>
/// <param name="Algorithm">The AEAD algorithm of new keys.</param>
/// <param name="TokenLifetime">The longest lifetime of a token.</param>
internal sealed record RingSettings(string Name, string Kid, AccessTokenAlgorithm Algorithm, TimeSpan TokenLifetime)
{
    /// <summary>The longest prefix, in octets: a dot and a number follow it.</summary>
    public const int MaxPrefixLength = 108;

    /// <summary>How long a key is current.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromDays(1);

    /// <summary>TURN servers get a key at least this long before tokens are issued with it.</summary>
    public TimeSpan LeadTime { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>The only key; null for a ring in the store.</summary>
    public byte[]? StaticKey { get; init; }

    /// <summary>SHA-256 of the certificate with which the keys are fetched; null if they cannot be fetched.</summary>
    public byte[]? Thumbprint { get; init; }

    /// <summary>Whether the keys are those for registration tokens of the home domain.</summary>
    public bool IsIms { get; init; }

    /// <summary>The name of the ring in the store.</summary>
    public string Ring => $"{(IsIms ? "ims" : "turn")}/{Name}";

    public string KidOf(long number) => FormattableString.Invariant($"{Kid}.{number}");

    /// <summary>
    /// How long a key lives after the next one has become current: until its last token is dead (RFC 7635 §7 adds Delta). The last token
    /// may be one of a replica that cannot read the store, and so learns late of a rotation. It has the lead time.
    /// </summary>
    public TimeSpan RetirementOf(TimeSpan tokenLifetime) => tokenLifetime + AccessToken.ClockDelta + LeadTime;

    /// <summary>Whether a static key, or a key of a ring, could have the name of a key of the ring with this prefix.</summary>
    public static bool MayHaveKidOf(string prefix, string kidOrPrefix, bool hasRing)
    {
        if (hasRing) return kidOrPrefix == prefix;
        var dot = kidOrPrefix.LastIndexOf('.');
        return dot >= 0 && kidOrPrefix[..dot] == prefix && kidOrPrefix[(dot + 1)..].All(char.IsAsciiDigit);
    }

    /// <summary>The problems of settings without a static key.</summary>
    /// <param name="prefix">The setting Kid, or its default.</param>
    /// <param name="defaultSetting">The setting whose value is the default of Kid.</param>
    /// <param name="interval">The setting KeyRotation.</param>
    /// <param name="leadTime">The setting KeyLeadTime.</param>
    public static IEnumerable<string> Problems(string prefix, string defaultSetting, TimeSpan interval, TimeSpan leadTime)
    {
        if (Encoding.UTF8.GetByteCount(prefix) > MaxPrefixLength || prefix.Contains('~', StringComparison.Ordinal))
            yield return $"Kid must have 1 to {MaxPrefixLength} octets and no '~'; without it, this holds for {defaultSetting}";
        if (leadTime < TimeSpan.FromSeconds(1) || leadTime > TimeSpan.FromDays(1))
            yield return "KeyLeadTime must be a time from 00:00:01 to 1.00:00:00";
        if (interval <= leadTime || interval > TimeSpan.FromDays(365))
            yield return "KeyRotation must be longer than KeyLeadTime, and at most 365.00:00:00";
    }

    public override string ToString() => Ring;
}
