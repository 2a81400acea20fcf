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

    /// <summary>Octets that show whether a message may begin like this.</summary>
    public const int StartLength = 8;

    /// <summary>The longest message that the length fields can express, padding included.</summary>
    public const int MaxFrameLength = 65536 + StunHeader.Length;

    /// <summary>
    /// Whether a message may begin with these octets. The first octets of other protocols differ (HTTP, TLS, SSH, SIP), so their streams
    /// need not stay open until a length field of theirs is fulfilled.
    /// </summary>
    /// <param name="start">The first octets of a message, up to <see cref="StartLength"/>.</param>
    /// <param name="isFirst">Whether it is the first message of its stream: channels exist only after requests.</param>
    public static bool MayStart(ReadOnlySpan<byte> start, bool isFirst)
    {
        if (start.IsEmpty) return true;
        if (ChannelData.IsChannelData(start[0])) return !isFirst;
        if ((start[0] & 0b1100_0000) != 0 || (start.Length >= PrefixLength && FrameLength(start) == 0)) return false;

        Span<byte> cookie = stackalloc byte[StartLength - PrefixLength];
        BinaryPrimitives.WriteUInt32BigEndian(cookie, StunHeader.MagicCookie);
        return start.Length <= PrefixLength || cookie.StartsWith(start[PrefixLength..Math.Min(start.Length, StartLength)]);
    }

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
