namespace WebRtcIms.Turn.Client.Transport;

/// <summary>Sends and receives whole STUN and ChannelData messages.</summary>
internal interface ITurnTransport : IAsyncDisposable
{
    /// <summary>Whether the transport delivers every message or fails, so that nothing is retransmitted.</summary>
    bool IsReliable { get; }

    ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancel);

    /// <summary>Receives one message and returns its length.</summary>
    /// <exception cref="IOException">The server closed the stream.</exception>
    ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancel);
}
