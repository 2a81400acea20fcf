namespace WebRtcIms.Wwsf.Stores;

/// <summary>A counter of failed log-ins. <c>FailedLogins</c> calculates the number of the row, so the table has a largest size.</summary>
internal sealed class FailedLoginRow
{
    public required int Id { get; init; }

    public required int Failures { get; init; }

    /// <summary>Unix time in milliseconds; then the counter is zero again.</summary>
    public required long ExpiresAt { get; init; }

    /// <summary>Unix time in milliseconds of the next attempt of an unknown browser, if this counts a name.</summary>
    public required long NextAt { get; init; }
}

/// <summary>The key of the HMAC that <c>FailedLogins</c> uses, for all replicas. There is one row.</summary>
internal sealed class FailedLoginKeyRow
{
    public const int OnlyId = 1;

    public int Id { get; init; } = OnlyId;

    /// <summary>Encrypted with Data Protection.</summary>
    public required byte[] ProtectedKey { get; set; }
}
