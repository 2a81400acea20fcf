using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace WebRtcIms.Stun.OAuth;

/// <summary>
/// The content of a self-contained token (RFC 7635 §6.2): the session key of the client, the time of issue, and the lifetime in
/// seconds.
/// </summary>
/// <remarks>A value without heap memory, so that a server can decrypt one per Allocate without an allocation.</remarks>
public readonly struct AccessToken
{
    /// <summary>nonce_length, nonce, key_length, a 32-byte mac_key, timestamp, lifetime and the tag of AES-GCM.</summary>
    public const int MaxEncodedLength = 2 + 12 + 2 + MaxMacKeyLength + 8 + 4 + 16;

    /// <summary>mac_key for HMAC-SHA-1, in octets. Every implementation must support it (RFC 7635 §6.2).</summary>
    public const int Sha1MacKeyLength = 20;

    /// <summary>mac_key for HMAC-SHA-256, in octets (RFC 7635 Appendix B).</summary>
    public const int Sha256MacKeyLength = MaxMacKeyLength;

    /// <summary>Delta of RFC 7635 §7: the allowance for clock differences and network delay.</summary>
    public static readonly TimeSpan ClockDelta = TimeSpan.FromSeconds(5);

    private const int MaxMacKeyLength = 32;

    private readonly MacKeyOctets _macKey;
    private readonly byte _macKeyLength;

    /// <summary>Makes the content of a token.</summary>
    /// <param name="macKey">20 or 32 octets; anything else throws <see cref="ArgumentException"/>.</param>
    /// <param name="timestamp">The time of issue.</param>
    /// <param name="lifetimeSeconds">The lifetime in seconds.</param>
    public AccessToken(ReadOnlySpan<byte> macKey, TokenTimestamp timestamp, uint lifetimeSeconds)
    {
        if (!IsMacKeyLength(macKey.Length)) throw new ArgumentException("mac_key has 20 or 32 octets", nameof(macKey));
        macKey.CopyTo(_macKey);
        _macKeyLength = (byte)macKey.Length;
        Timestamp = timestamp;
        LifetimeSeconds = lifetimeSeconds;
    }

    /// <summary>The session key, 20 or 32 octets.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> MacKey => ((ReadOnlySpan<byte>)_macKey)[.._macKeyLength];

    /// <summary>The time of issue.</summary>
    public TokenTimestamp Timestamp { get; }

    /// <summary>The lifetime in seconds from the time of issue.</summary>
    public uint LifetimeSeconds { get; }

    /// <summary>Whether octets of this number are a mac_key for one of the two HMACs.</summary>
    public static bool IsMacKeyLength(int length) => length is Sha1MacKeyLength or Sha256MacKeyLength;

    /// <summary>
    /// Seconds that a server may still grant for this token, rounded up; 0 outside its time window.
    /// RFC 7635 §7 accepts a token when <c>lifetime + Delta &gt; |now - timestamp|</c>. A token from the future is
    /// accepted only within Delta, the allowance for clocks that differ: the absolute value in the RFC's formula would
    /// let a wrong clock of the issuer double the lifetime of a token. §9 caps a grant by <c>lifetime + Delta - age</c>, and by lifetime.
    /// </summary>
    public uint RemainingSeconds(DateTimeOffset now)
    {
        if (!Timestamp.IsDefined) return 0;
        var age = now - Timestamp.ToDateTimeOffset();
        if (age < -ClockDelta) return 0;
        var left = TimeSpan.FromSeconds(LifetimeSeconds) + ClockDelta - age.Duration();
        return (uint)Math.Clamp(Math.Ceiling(left.TotalSeconds), 0, LifetimeSeconds);
    }

    [InlineArray(MaxMacKeyLength)]
    private struct MacKeyOctets
    {
        private byte _first;
    }
}
