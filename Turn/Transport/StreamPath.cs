using System.Buffers;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn.Transport;

/// <summary>
/// The way back over a client's stream. A client that reads too slowly loses the oldest messages, as it would over UDP;
/// nobody waits for it and its queue has an end.
/// </summary>
internal sealed class StreamPath : ClientPath, IAsyncDisposable
{
    private const int MaxQueued = 512;

    private readonly Channel<ArraySegment<byte>> _queue = Channel.CreateBounded<ArraySegment<byte>>(
        new BoundedChannelOptions(MaxQueued) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true },
        dropped => ArrayPool<byte>.Shared.Return(dropped.Array!));

    private readonly Task _writing;

    public StreamPath(ConnectionContext connection) => _writing = WriteAsync(connection);

    public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
    {
        var copy = ArrayPool<byte>.Shared.Rent(message.Length);
        message.CopyTo(copy);
        if (!_queue.Writer.TryWrite(new ArraySegment<byte>(copy, 0, message.Length))) ArrayPool<byte>.Shared.Return(copy);
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _writing;
    }

    private async Task WriteAsync(ConnectionContext connection)
    {
        var output = connection.Transport.Output;
        try
        {
            while (await _queue.Reader.WaitToReadAsync(connection.ConnectionClosed))
            {
                while (_queue.Reader.TryRead(out var message))
                {
                    output.Write(message);
                    ArrayPool<byte>.Shared.Return(message.Array!);
                }

                await output.FlushAsync(connection.ConnectionClosed);
            }
        }
        catch (Exception error) when (error is ConnectionResetException or ConnectionAbortedException or OperationCanceledException or IOException)
        {
            // The reading side notices the same and ends the allocation.
        }
    }
}
