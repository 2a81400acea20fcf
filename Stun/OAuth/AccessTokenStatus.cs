namespace WebRtcIms.Stun.OAuth;

/// <summary>
/// Why a token was refused. A server answers 401 in every case (RFC 7635 §7), so that an attacker learns nothing. The reasons are
/// for counters and traces.
/// </summary>
public enum AccessTokenStatus
{
    Valid,

    /// <summary>A length field does not fit the token. Checked before any octet is copied or decrypted.</summary>
    Malformed,

    /// <summary>The tag does not match: another key, another server name, or a change in transit.</summary>
    NotAuthentic,

    /// <summary>Authentic, but mac_key, timestamp or the length of the block is not acceptable.</summary>
    UnsupportedContent,
}
