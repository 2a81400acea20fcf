using System.Buffers.Binary;

namespace WebRtcIms.Stun.Framing;

/// <summary>
/// ChannelData: a channel number, a length and the payload (RFC 8656 §12.4). Over a stream the message is padded to a
/// multiple of four octets, which the length does not count. Over UDP padding is optional.
/// </summary>
public static class ChannelData
{
    /// <summary>In octets.</summary>
    public const int HeaderLength = 4;

    /// <summary>First and last channel number that a client may bind (RFC 8656 §12).</summary>
    public const ushort MinChannel = 0x4000;

    /// <inheritdoc cref="MinChannel"/>
    public const ushort MaxChannel = 0x4FFF;

    /// <summary>Last channel number under RFC 5766 §11, which older clients use.</summary>
    public const ushort MaxChannelRfc5766 = 0x7FFF;

    /// <summary>Whether the first octet of a packet starts a channel number (RFC 5766 §11: 0x40 to 0x7F).</summary>
    public static bool IsChannelData(byte firstOctet) => firstOctet is >= 0x40 and <= 0x7F;

    /// <summary>
    /// Reads one message and ignores padding. False when the datagram is shorter than its length field says (RFC 8656 §12.6).
    /// </summary>
    public static bool TryRead(ReadOnlySpan<byte> datagram, out ushort channel, out ReadOnlySpan<byte> payload)
    {
        channel = 0;
        payload = default;
        if (datagram.Length < HeaderLength) return false;
        var length = BinaryPrimitives.ReadUInt16BigEndian(datagram[2..]);
        if (HeaderLength + length > datagram.Length) return false;
        channel = BinaryPrimitives.ReadUInt16BigEndian(datagram);
        payload = datagram.Slice(HeaderLength, length);
        return true;
    }

    /// <summary>Writes the header: the four octets before the payload.</summary>
    public static void WriteHeader(Span<byte> destination, ushort channel, int payloadLength)
    {
        BinaryPrimitives.WriteUInt16BigEndian(destination, channel);
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], (ushort)payloadLength);
    }
}
