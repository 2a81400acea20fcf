namespace WebRtcIms.Stun.OAuth;

/// <summary>
/// Why a token was refused. A server answers 401 to all of them alike (RFC 7635 §7), so that an attacker learns nothing;
/// the reasons are for counters and traces.
/// </summary>
public enum AccessTokenStatus
{
    Valid,

    /// <summary>A length field does not fit the token. Checked before any octet is copied or decrypted.</summary>
    Malformed,

    /// <summary>The tag does not match: other key, other server name, or changed on the way.</summary>
    NotAuthentic,

    /// <summary>Authentic, yet mac_key, timestamp or the length of the block is none that this project accepts.</summary>
    UnsupportedContent,
}
