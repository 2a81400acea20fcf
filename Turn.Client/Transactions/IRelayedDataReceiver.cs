using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Client.Transactions;

/// <summary>Who gets what a connection receives beside answers.</summary>
internal interface IRelayedDataReceiver
{
    /// <summary>ChannelData (RFC 8656 §12.6).</summary>
    void Received(ushort channel, ReadOnlySpan<byte> payload);

    /// <summary>A Data indication (RFC 8656 §11.4).</summary>
    void Received(in TransportAddress peer, ReadOnlySpan<byte> payload);

    /// <summary>Nothing will come any more.</summary>
    void Lost(Exception error);
}
