namespace WebRtcIms.Stun.Messages;

/// <summary>Error codes of RFC 8489 §14.8, RFC 8656 §19, RFC 6062 §6.3 and RFC 8016 §3.4.</summary>
public enum StunError
{
    None = 0,
    TryAlternate = 300,
    BadRequest = 400,
    Unauthenticated = 401,
    Forbidden = 403,
    MobilityForbidden = 405,
    UnknownAttribute = 420,
    AllocationMismatch = 437,
    StaleNonce = 438,
    AddressFamilyNotSupported = 440,
    WrongCredentials = 441,
    UnsupportedTransportProtocol = 442,
    PeerAddressFamilyMismatch = 443,
    ConnectionAlreadyExists = 446,
    ConnectionTimeoutOrFailure = 447,
    AllocationQuotaReached = 486,
    ServerError = 500,
    InsufficientCapacity = 508,
}

/// <summary>Reason phrases, as in the RFCs that define the codes.</summary>
public static class StunErrors
{
    /// <summary>The reason phrase in UTF-8; empty for an unknown code.</summary>
    public static ReadOnlySpan<byte> ReasonPhrase(this StunError error) => error switch
    {
        StunError.TryAlternate => "Try Alternate"u8,
        StunError.BadRequest => "Bad Request"u8,
        StunError.Unauthenticated => "Unauthenticated"u8,
        StunError.Forbidden => "Forbidden"u8,
        StunError.MobilityForbidden => "Mobility Forbidden"u8,
        StunError.UnknownAttribute => "Unknown Attribute"u8,
        StunError.AllocationMismatch => "Allocation Mismatch"u8,
        StunError.StaleNonce => "Stale Nonce"u8,
        StunError.AddressFamilyNotSupported => "Address Family not Supported"u8,
        StunError.WrongCredentials => "Wrong Credentials"u8,
        StunError.UnsupportedTransportProtocol => "Unsupported Transport Protocol"u8,
        StunError.PeerAddressFamilyMismatch => "Peer Address Family Mismatch"u8,
        StunError.ConnectionAlreadyExists => "Connection Already Exists"u8,
        StunError.ConnectionTimeoutOrFailure => "Connection Timeout or Failure"u8,
        StunError.AllocationQuotaReached => "Allocation Quota Reached"u8,
        StunError.ServerError => "Server Error"u8,
        StunError.InsufficientCapacity => "Insufficient Capacity"u8,
        _ => [],
    };
}
