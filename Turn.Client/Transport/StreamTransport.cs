namespace WebRtcIms.Turn.Client.Transport;

/// <summary>Sends and receives messages back to back in a TCP or TLS stream (RFC 8489 §6.2.2).</summary>
internal sealed class StreamTransport(Stream stream, TimeProvider time) : ITurnTransport
{
    // The time-out of a request (Ti, RFC 8489 §6.2.2).
    private static readonly TimeSpan WriteLimit = TimeSpan.FromSeconds(39.5);

    private readonly SemaphoreSlim _writing = new(1, 1);

    public bool IsReliable => true;

    public async ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancel)
    {
        await _writing.WaitAsync(cancel);
        try
        {
            // After a partial message the server could not find the next one, so a write is never cancelled.
            var writing = stream.WriteAsync(message, CancellationToken.None);
            if (writing.IsCompletedSuccessfully) return;
            await writing.AsTask().WaitAsync(WriteLimit, time, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            await stream.DisposeAsync();
            throw new IOException("the server no longer reads");
        }
        finally
        {
            _writing.Release();
        }
    }

    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        await ReadAsync(buffer[..StreamFraming.PrefixLength], cancel);
        var length = StreamFraming.FrameLength(buffer.Span);
        if (length == 0) throw new IOException("the server sent neither STUN nor ChannelData");
        await ReadAsync(buffer[StreamFraming.PrefixLength..length], cancel);
        return length;
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private async ValueTask ReadAsync(Memory<byte> part, CancellationToken cancel)
    {
        try
        {
            await stream.ReadExactlyAsync(part, cancel);
        }
        catch (EndOfStreamException)
        {
            throw new IOException("the server closed it");
        }
    }
}
