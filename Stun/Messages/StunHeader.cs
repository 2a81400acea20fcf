namespace WebRtcIms.Stun.Messages;

/// <summary>Sizes and constants of the STUN header (RFC 8489 §5).</summary>
public static class StunHeader
{
    /// <summary>Type, length, magic cookie and transaction id, in octets.</summary>
    public const int Length = 20;

    /// <summary>The magic cookie.</summary>
    public const uint MagicCookie = 0x2112A442;

    /// <summary>Type and length of an attribute, in octets.</summary>
    public const int AttributeHeaderLength = 4;

    /// <summary>The length of a value with its padding to a multiple of four (RFC 8489 §14).</summary>
    public static int Padded(int length) => (length + 3) & ~3;
}
