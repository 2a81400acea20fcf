namespace WebRtcIms.Stun.OAuth;

/// <summary>
/// The time of issue of a token: the high 48 bits count seconds since 1970-01-01T00:00Z, the low 16 bits count 1/64000 s
/// (RFC 7635 §6.2; not 1/65536).
/// </summary>
public readonly record struct TokenTimestamp(ulong Raw)
{
    private const int FractionsPerSecond = 64000;

    // The last second that DateTimeOffset can hold. A timestamp is earlier.
    private static readonly ulong LastSecond = (ulong)DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    /// <summary>False when the fraction is one of the undefined values 64000..65535, or the time is beyond the calendar.</summary>
    public bool IsDefined => (Raw & 0xFFFF) < FractionsPerSecond && Raw >> 16 < LastSecond;

    public static TokenTimestamp FromDateTimeOffset(DateTimeOffset time)
    {
        var sinceEpoch = time.UtcTicks - DateTimeOffset.UnixEpoch.Ticks;
        var seconds = (ulong)(sinceEpoch / TimeSpan.TicksPerSecond);
        var fraction = (ulong)(sinceEpoch % TimeSpan.TicksPerSecond * FractionsPerSecond / TimeSpan.TicksPerSecond);
        return new TokenTimestamp((seconds << 16) | fraction);
    }

    /// <summary>The time, to 1/64000 s. Only for a defined value.</summary>
    public DateTimeOffset ToDateTimeOffset() =>
        DateTimeOffset.UnixEpoch
            .AddSeconds(Raw >> 16)
            .AddTicks((long)(Raw & 0xFFFF) * TimeSpan.TicksPerSecond / FractionsPerSecond);
}
