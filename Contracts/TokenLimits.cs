namespace WebRtcIms.Contracts;

/// <summary>How long the WAF's tokens may live. A revocation is kept for the longest of these, so both depend on it.</summary>
public static class TokenLimits
{
    public static readonly TimeSpan ShortestLifetime = TimeSpan.FromSeconds(30);

    public static readonly TimeSpan LongestLifetime = TimeSpan.FromDays(1);

    /// <summary>How long a revoked long-term key is refused. Operators must remove it from all settings within this time.</summary>
    public static readonly TimeSpan RevokedKeyRetention = TimeSpan.FromDays(30);
}
