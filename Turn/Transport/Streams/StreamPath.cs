using System.Buffers;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Telemetry;

namespace WebRtcIms.Turn.Transport.Streams;

/// <summary>
/// The way back over a client's stream. A client that reads too slowly loses the oldest messages, each as a whole, as over UDP. Its
/// queue is bounded, and no sender waits for it.
/// </summary>
internal sealed class StreamPath : ClientPath, IAsyncDisposable
{
    /// <summary>Octets that wait for one client at most: what a UDP socket's buffer holds, several of the longest messages.</summary>
    public const int MaxQueuedOctets = 256 * 1024;

    // The queue cannot drop what the stream already has, so the stream gets little at a time.
    private const int FlushOctets = 16 * 1024;

    private readonly Channel<ArraySegment<byte>> _queue = Channel.CreateUnbounded<ArraySegment<byte>>();
    private readonly ConnectionContext _connection;
    private readonly TurnMetrics _metrics;
    private readonly AdmittedConnection? _place;
    private readonly Task _writing;
    private int _queuedOctets;

    public StreamPath(ConnectionContext connection, TurnMetrics metrics)
    {
        (_connection, _metrics, _place) = (connection, metrics, connection.Features.Get<AdmittedConnection>());
        _writing = WriteAsync();
    }

    public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
    {
        if (_place is not null && AuthenticatedResponse.Is(message)) _place.TryAuthenticate();
        var copy = ArrayPool<byte>.Shared.Rent(message.Length);
        message.CopyTo(copy);
        Interlocked.Add(ref _queuedOctets, message.Length);
        if (!_queue.Writer.TryWrite(new ArraySegment<byte>(copy, 0, message.Length))) ArrayPool<byte>.Shared.Return(copy);
        DropOldest();
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _writing;
    }

    private void DropOldest()
    {
        while (Volatile.Read(ref _queuedOctets) > MaxQueuedOctets && TryTake(out var dropped))
        {
            ArrayPool<byte>.Shared.Return(dropped.Array!);
            _metrics.CountDrops(DropReason.NotSent, 1);
        }
    }

    private bool TryTake(out ArraySegment<byte> message)
    {
        if (!_queue.Reader.TryRead(out message)) return false;
        Interlocked.Add(ref _queuedOctets, -message.Count);
        return true;
    }

    private async Task WriteAsync()
    {
        var output = _connection.Transport.Output;
        try
        {
            while (await _queue.Reader.WaitToReadAsync(_connection.ConnectionClosed))
            {
                for (var written = 0; written < FlushOctets && TryTake(out var message); written += message.Count)
                {
                    output.Write(message);
                    ArrayPool<byte>.Shared.Return(message.Array!);
                }

                await output.FlushAsync(_connection.ConnectionClosed);
            }
        }
        catch (Exception error) when (error is ConnectionResetException or ConnectionAbortedException or OperationCanceledException
            or IOException)
        {
            // The reading side notices the same and ends the allocation.
        }
    }
}
