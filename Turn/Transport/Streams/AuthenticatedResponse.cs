using System.Buffers.Binary;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Transport.Streams;

/// <summary>
/// Tells a response that proves the client: the success of any request that needs credentials. A stream with such a response keeps its
/// place. A Binding proves nothing.
/// </summary>
internal static class AuthenticatedResponse
{
    public static bool Is(ReadOnlySpan<byte> message)
    {
        // Data, of which there is much more, begins with other octets.
        if (message.Length < 2 || message[0] != 0x01) return false;
        var type = StunMessageType.Decode(BinaryPrimitives.ReadUInt16BigEndian(message));
        return type.Class == StunClass.SuccessResponse && type.Method != StunMethod.Binding;
    }
}
