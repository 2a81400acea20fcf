using WebRtcIms.Stun.Framing;

namespace WebRtcIms.Fuzz.Targets;

/// <summary>Reads ChannelData and writes its header again.</summary>
internal static class ChannelDataTarget
{
    public static void Run(byte[] octets)
    {
        if (octets.Length >= StreamFraming.PrefixLength)
        {
            var length = StreamFraming.FrameLength(octets);
            FindingException.ThrowUnless(length is 0
                or (>= ChannelData.HeaderLength and <= StreamFraming.MaxFrameLength), "a frame has a length in range");
            FindingException.ThrowUnless(length % 4 == 0, "a frame in a stream is padded");
        }

        if (!ChannelData.TryRead(octets, out var channel, out var payload)) return;
        FindingException.ThrowUnless(payload.Length <= octets.Length - ChannelData.HeaderLength, "the payload lies within the datagram");
        Span<byte> header = stackalloc byte[ChannelData.HeaderLength];
        ChannelData.WriteHeader(header, channel, payload.Length);
        FindingException.ThrowUnless(
            header.SequenceEqual(octets.AsSpan(0, ChannelData.HeaderLength)), "the header is written as it was read");
        if (ChannelData.IsChannelData(octets[0]))
            FindingException.ThrowUnless(
                StreamFraming.FrameLength(octets) >= ChannelData.HeaderLength + payload.Length, "the frame holds the payload");
    }
}
