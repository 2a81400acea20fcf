namespace WebRtcIms.Stun.Messages;

/// <summary>
/// Whether octets are a STUN message. Anything except <see cref="Ok"/> is dropped silently, because nothing in it can be trusted
/// enough for an answer (RFC 8489 §6.3).
/// </summary>
public enum StunParseStatus
{
    Ok,

    /// <summary>Shorter than a header, or the two top bits are not zero.</summary>
    NotStun,

    /// <summary>The magic cookie is missing: RFC 3489, which this project does not support.</summary>
    WrongMagicCookie,

    /// <summary>The length field is not a multiple of four or is not the received length.</summary>
    WrongLength,

    /// <summary>An attribute runs past the end of the message.</summary>
    AttributeOverrun,

    /// <summary>Something follows FINGERPRINT, which must be last (RFC 8489 §14.7).</summary>
    FingerprintNotLast,
}
