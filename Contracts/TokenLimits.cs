namespace WebRtcIms.Contracts;

/// <summary>How long the WAF's tokens may live. A revocation is kept for the longest of these, so both depend on it.</summary>
public static class TokenLimits
{
    public static readonly TimeSpan ShortestLifetime = TimeSpan.FromSeconds(30);

    public static readonly TimeSpan LongestLifetime = TimeSpan.FromDays(1);

    /// <summary>How long a revoked long-term key stays refused. Operators have this time to take it out of all settings.</summary>
    public static readonly TimeSpan RevokedKeyRetention = TimeSpan.FromDays(30);
}
