using System.Buffers;
using System.Threading.Channels;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Hosting;

/// <summary>
/// Packets that reached one worker and belong to another, because their client has moved (RFC 8016). They are copied into a bounded
/// queue, and one task handles them in order. So no worker waits for the gate of another.
/// </summary>
/// <param name="onDropped">Called for each packet that is dropped because the queue is full.</param>
internal sealed class HandOver(Action onDropped)
{
    private const int MaxQueued = 1024;

    private readonly Channel<Packet> _queue = Channel.CreateBounded<Packet>(
        new BoundedChannelOptions(MaxQueued) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true },
        dropped =>
        {
            ArrayPool<byte>.Shared.Return(dropped.Octets);
            onDropped();
        });

    public delegate void Receiver(ReadOnlySpan<byte> packet, in FiveTuple flow, ClientPath path);

    /// <summary>Never waits: what the queue has no room for is lost, as any datagram may be.</summary>
    public void Add(ReadOnlySpan<byte> packet, in FiveTuple flow, ClientPath path)
    {
        var octets = ArrayPool<byte>.Shared.Rent(packet.Length);
        packet.CopyTo(octets);
        _queue.Writer.TryWrite(new Packet(octets, packet.Length, flow, path));
    }

    public async Task ReceiveAsync(Receiver receiver, CancellationToken stopping)
    {
        try
        {
            while (await _queue.Reader.WaitToReadAsync(stopping).ConfigureAwait(false))
            {
                while (_queue.Reader.TryRead(out var packet))
                {
                    receiver(packet.Octets.AsSpan(0, packet.Length), packet.Flow, packet.Path);
                    ArrayPool<byte>.Shared.Return(packet.Octets);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The process ends.
        }
    }

    private readonly record struct Packet(byte[] Octets, int Length, FiveTuple Flow, ClientPath Path);
}
