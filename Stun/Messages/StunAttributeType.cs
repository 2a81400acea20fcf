namespace WebRtcIms.Stun.Messages;

/// <summary>
/// Attribute types of RFC 8489 §18.3, RFC 8656 §18, RFC 7635 §6, RFC 6062 §6.2 and RFC 8016 §3.
/// Types below 0x8000 are comprehension-required: a receiver that does not know one must refuse the message (RFC 8489 §14).
/// </summary>
public enum StunAttributeType : ushort
{
    MappedAddress = 0x0001,
    Username = 0x0006,
    MessageIntegrity = 0x0008,
    ErrorCode = 0x0009,
    UnknownAttributes = 0x000A,
    ChannelNumber = 0x000C,
    Lifetime = 0x000D,
    XorPeerAddress = 0x0012,
    Data = 0x0013,
    Realm = 0x0014,
    Nonce = 0x0015,
    XorRelayedAddress = 0x0016,
    RequestedAddressFamily = 0x0017,
    EvenPort = 0x0018,
    RequestedTransport = 0x0019,
    DontFragment = 0x001A,
    AccessToken = 0x001B,
    MessageIntegritySha256 = 0x001C,
    PasswordAlgorithm = 0x001D,
    UserHash = 0x001E,
    XorMappedAddress = 0x0020,
    ReservationToken = 0x0022,
    ConnectionId = 0x002A,
    AdditionalAddressFamily = 0x8000,
    AddressErrorCode = 0x8001,
    PasswordAlgorithms = 0x8002,
    AlternateDomain = 0x8003,
    Icmp = 0x8004,
    Software = 0x8022,
    AlternateServer = 0x8023,
    Fingerprint = 0x8028,
    ThirdPartyAuthorization = 0x802E,
    MobilityTicket = 0x8030,

    /// <summary>ADDITIONAL-ADDRESS-FAMILY in drafts of RFC 8656: never registered, but older clients still send it.</summary>
    AdditionalAddressFamilyDraft = 0x8032,
}

/// <summary>Properties that follow from the number of an attribute.</summary>
public static class StunAttributes
{
    /// <summary>Whether a receiver that does not know the attribute must refuse the message (RFC 8489 §14).</summary>
    public static bool IsComprehensionRequired(this StunAttributeType type) => (ushort)type < 0x8000;
}
