using System.Buffers.Binary;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Stun.Framing;

/// <summary>
/// Finds messages in a TCP or TLS stream: STUN and ChannelData follow each other and carry their own lengths
/// (RFC 8489 §6.2.2, RFC 8656 §12.5).
/// </summary>
public static class StreamFraming
{
    /// <summary>Octets that are needed to know the length of a message.</summary>
    public const int PrefixLength = 4;

    /// <summary>The longest message that the length fields can express, padding included.</summary>
    public const int MaxFrameLength = 65536 + StunHeader.Length;

    /// <summary>
    /// The length of the message that starts with these four octets, its padding included. 0 if no message starts like this; the
    /// rest of the stream can then not be parsed.
    /// </summary>
    public static int FrameLength(ReadOnlySpan<byte> prefix)
    {
        var length = BinaryPrimitives.ReadUInt16BigEndian(prefix[2..]);
        if (ChannelData.IsChannelData(prefix[0])) return StunHeader.Padded(ChannelData.HeaderLength + length);
        if ((prefix[0] & 0b1100_0000) == 0 && length % 4 == 0) return StunHeader.Length + length;
        return 0;
    }
}
