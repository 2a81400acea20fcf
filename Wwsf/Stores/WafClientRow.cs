namespace WebRtcIms.Wwsf.Stores;

/// <summary>The registration of this WWSF at the WAF (RFC 7591 §3.2.1). There is at most one row.</summary>
internal sealed class WafClientRow
{
    public const int OnlyId = 1;

    public int Id { get; init; } = OnlyId;

    [MaxLength(255)]
    public required string ClientId { get; set; }

    /// <summary>The name of the WAF, for which this client signs.</summary>
    [MaxLength(255)]
    public required string Issuer { get; set; }

    /// <summary>The registration access token and the private key, encrypted with Data Protection.</summary>
    public required byte[] ProtectedSecrets { get; set; }

    /// <summary>Unix time.</summary>
    public required long KeyCreatedAt { get; set; }
}
