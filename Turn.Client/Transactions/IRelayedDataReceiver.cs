namespace WebRtcIms.Turn.Client.Transactions;

/// <summary>Receives the relayed data of a connection, and its loss.</summary>
internal interface IRelayedDataReceiver
{
    /// <summary>ChannelData (RFC 8656 §12.6).</summary>
    void Received(ushort channel, ReadOnlySpan<byte> payload);

    /// <summary>A Data indication (RFC 8656 §11.4).</summary>
    void Received(in TransportAddress peer, ReadOnlySpan<byte> payload);

    /// <summary>The connection is lost; no more data follows.</summary>
    void Lost(Exception error);
}
