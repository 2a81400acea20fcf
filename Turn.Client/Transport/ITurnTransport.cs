namespace WebRtcIms.Turn.Client.Transport;

/// <summary>Carries whole STUN and ChannelData messages to a server and back.</summary>
internal interface ITurnTransport : IAsyncDisposable
{
    /// <summary>Whether what is sent arrives or the transport fails: nothing is sent again.</summary>
    bool IsReliable { get; }

    ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancel);

    /// <summary>Receives one message and returns its length.</summary>
    /// <exception cref="IOException">The server closed the stream.</exception>
    ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancel);
}
