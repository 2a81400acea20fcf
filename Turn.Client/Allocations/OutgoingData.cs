using WebRtcIms.Turn.Client.Transactions;

namespace WebRtcIms.Turn.Client.Allocations;

/// <summary>Encodes data for a peer in either of the two forms that a server relays.</summary>
internal static class OutgoingData
{
    // The header, XOR-PEER-ADDRESS with an IPv6 address, and the header of DATA.
    private const int MaxOverhead = StunHeader.Length + 24 + StunHeader.AttributeHeaderLength;

    // The payload of a UDP datagram over IPv4, less the overhead, in whole words.
    public const int MaxLength = (65_507 - MaxOverhead) & ~3;

    /// <summary>The most octets that either form needs.</summary>
    public static int BufferLength(int dataLength) => MaxOverhead + StunHeader.Padded(dataLength);

    /// <summary>ChannelData (RFC 8656 §12.5), padded as a stream requires and a datagram allows.</summary>
    public static int WriteChannelData(Span<byte> buffer, ushort channel, ReadOnlySpan<byte> data)
    {
        ChannelData.WriteHeader(buffer, channel, data.Length);
        data.CopyTo(buffer[ChannelData.HeaderLength..]);
        var length = ChannelData.HeaderLength + data.Length;
        var padded = StunHeader.Padded(length);
        buffer[length..padded].Clear();
        return padded;
    }

    /// <summary>A Send indication (RFC 8656 §11.1).</summary>
    public static int WriteIndication(Span<byte> buffer, in TransportAddress peer, ReadOnlySpan<byte> data)
    {
        var indication = new StunMessageWriter(buffer, StunMethod.Send, StunClass.Indication, TransactionIds.Next());
        indication.WriteXorAddress(StunAttributeType.XorPeerAddress, peer);
        indication.Write(StunAttributeType.Data, data);
        return indication.Length;
    }
}
