namespace WebRtcIms.Wwsf.Stores;

/// <summary>
/// A session of a user, or an ended session of a guest. The row is kept until the cookie of the session expires. Times are Unix times.
/// </summary>
internal sealed class SessionRow
{
    public required string Sid { get; init; }

    /// <summary>Null for a guest.</summary>
    public string? UserId { get; init; }

    /// <summary>The security stamp of the user at the log-in. Identity changes it, for example, with the password.</summary>
    public string? SecurityStamp { get; init; }

    public required long BeganAt { get; init; }

    public required long UsedAt { get; init; }

    public required long ExpiresAt { get; init; }

    public long? EndedAt { get; init; }

    /// <summary>Redis does not have the revocation of the TURN tokens yet.</summary>
    public bool IsRevocationPending { get; init; }

    /// <summary>The eP-CSCF has not confirmed the end of the registrations yet.</summary>
    public bool IsRegistrationPending { get; init; }
}
