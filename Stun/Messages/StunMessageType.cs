namespace WebRtcIms.Stun.Messages;

/// <summary>Class of a STUN message: the bits C1 C0 (RFC 8489 §5).</summary>
public enum StunClass : byte
{
    Request = 0b00,
    Indication = 0b01,
    SuccessResponse = 0b10,
    ErrorResponse = 0b11,
}

/// <summary>Methods of RFC 8489 §18.1, RFC 8656 §17 and RFC 6062 §6.1.</summary>
public enum StunMethod : ushort
{
    Binding = 0x001,
    Allocate = 0x003,
    Refresh = 0x004,
    Send = 0x006,
    Data = 0x007,
    CreatePermission = 0x008,
    ChannelBind = 0x009,
    Connect = 0x00A,
    ConnectionBind = 0x00B,
    ConnectionAttempt = 0x00C,
}

/// <summary>
/// Method and class, interleaved on the wire as <c>M11..M7 C1 M6..M4 C0 M3..M0</c> under two zero bits (RFC 8489 §5).
/// </summary>
public readonly record struct StunMessageType(StunMethod Method, StunClass Class)
{
    /// <summary>Reads the first 16 bits of a message; their top two bits are expected to be zero.</summary>
    public static StunMessageType Decode(ushort bits) => new(
        (StunMethod)((bits & 0x000F) | ((bits & 0x00E0) >> 1) | ((bits & 0x3E00) >> 2)),
        (StunClass)(((bits & 0x0010) >> 4) | ((bits & 0x0100) >> 7)));

    /// <summary>The first 16 bits of a message.</summary>
    public ushort Encode()
    {
        var method = (int)Method;
        var @class = (int)Class;
        return (ushort)((method & 0x00F) | ((method & 0x070) << 1) | ((method & 0xF80) << 2)
            | ((@class & 0b01) << 4) | ((@class & 0b10) << 7));
    }
}
