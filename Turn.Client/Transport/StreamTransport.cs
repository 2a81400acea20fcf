using WebRtcIms.Stun.Framing;

namespace WebRtcIms.Turn.Client.Transport;

/// <summary>Messages back to back in a TCP or TLS stream (RFC 8489 §6.2.2).</summary>
internal sealed class StreamTransport(Stream stream) : ITurnTransport
{
    private readonly SemaphoreSlim _writing = new(1, 1);

    public bool IsReliable => true;

    public async ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancel)
    {
        await _writing.WaitAsync(cancel);
        try
        {
            // A message of which only a part was written would leave the server lost in the stream.
            await stream.WriteAsync(message, CancellationToken.None);
        }
        finally
        {
            _writing.Release();
        }
    }

    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        await stream.ReadExactlyAsync(buffer[..StreamFraming.PrefixLength], cancel);
        var length = StreamFraming.FrameLength(buffer.Span);
        if (length == 0) throw new IOException("what it sends is neither STUN nor ChannelData");
        if (length > StreamFraming.PrefixLength) await stream.ReadExactlyAsync(buffer[StreamFraming.PrefixLength..length], cancel);
        return length;
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();
}
