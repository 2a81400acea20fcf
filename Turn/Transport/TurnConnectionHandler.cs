using System.Buffers;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Transport.TcpRelays;

namespace WebRtcIms.Turn.Transport;

/// <summary>
/// The server's TCP side, on Kestrel: takes messages out of the stream and gives them to the server. An allocation ends
/// with its stream (RFC 8656 §5).
/// </summary>
internal sealed class TurnConnectionHandler(IReadOnlyList<TurnServer> servers, TurnMetrics metrics, TimeProvider clock) : ConnectionHandler
{
    // From a message's first octet to its last: a client that stops in the middle, or sends it drop by drop, holds memory for
    // nobody's benefit.
    private static readonly TimeSpan FrameTimeout = TimeSpan.FromSeconds(30);

    // A stream without an allocation serves nobody.
    private static readonly TimeSpan IdleLimit = TimeSpan.FromSeconds(60);

    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        var transport = connection.Features.Get<ITlsHandshakeFeature>() is null ? ClientTransport.Tcp : ClientTransport.Tls;
        var flow = new FiveTuple(transport, Address(connection.RemoteEndPoint), Address(connection.LocalEndPoint));
        var server = servers[(int)((uint)flow.GetHashCode() % servers.Count)];
        await using var path = new StreamPath(connection, metrics);
        try
        {
            await ReadAsync(connection, server, flow, path);
            if (path.BoundTo is not { } peer) return;

            // The answer to the ConnectionBind goes before the first of the peer's octets.
            await path.DisposeAsync();
            await ((PeerSocket)peer.Stream!).RelayAsync(peer, connection.Transport, Stopping(connection));
        }
        catch (Exception error) when (error is ConnectionResetException or ConnectionAbortedException or OperationCanceledException or IOException)
        {
            // The client is gone; how it went makes no difference.
        }
        finally
        {
            server.StreamClosed(flow);
        }
    }

    private async Task ReadAsync(ConnectionContext connection, TurnServer server, FiveTuple flow, StreamPath path)
    {
        var input = connection.Transport.Input;
        using var stalled = new CancellationTokenSource(Timeout.InfiniteTimeSpan, clock);

        using var stopping = Stopping(connection).Register(input.CancelPendingRead);
        var lastHeard = clock.GetTimestamp();
        using var idle = clock.CreateTimer(_ => EndIfIdle(), null, IdleLimit, IdleLimit);
        var isWithinMessage = false;
        while (true)
        {
            var read = await input.ReadAsync(stalled.Token);
            if (read.IsCanceled) return;
            Volatile.Write(ref lastHeard, clock.GetTimestamp());
            var buffer = read.Buffer;
            if (!TakeMessages(ref buffer, server, flow, path)) return;
            if (path.BoundTo is not null)
            {
                input.AdvanceTo(buffer.Start);
                return;
            }

            var isNewMessage = !isWithinMessage || buffer.Length < read.Buffer.Length;
            isWithinMessage = !buffer.IsEmpty;
            if (!isWithinMessage) stalled.CancelAfter(Timeout.InfiniteTimeSpan);
            else if (isNewMessage) stalled.CancelAfter(FrameTimeout);
            input.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted) return;
        }

        void EndIfIdle()
        {
            if (clock.GetElapsedTime(Volatile.Read(ref lastHeard)) >= IdleLimit && !server.Knows(flow)) input.CancelPendingRead();
        }
    }

    /// <summary>Handles all whole messages and leaves the rest; false when the stream cannot be followed any more.</summary>
    private static bool TakeMessages(ref ReadOnlySequence<byte> buffer, TurnServer server, in FiveTuple flow, StreamPath path)
    {
        Span<byte> prefix = stackalloc byte[StreamFraming.PrefixLength];
        while (buffer.Length >= StreamFraming.PrefixLength)
        {
            buffer.Slice(0, StreamFraming.PrefixLength).CopyTo(prefix);
            var length = StreamFraming.FrameLength(prefix);
            if (length == 0) return false;
            if (buffer.Length < length) return true;
            Handle(buffer.Slice(0, length), server, flow, path);
            buffer = buffer.Slice(length);
            if (path.BoundTo is not null) return true;
        }

        return true;
    }

    private static void Handle(in ReadOnlySequence<byte> message, TurnServer server, in FiveTuple flow, StreamPath path)
    {
        if (message.IsSingleSegment)
        {
            server.Receive(message.FirstSpan, flow, path);
            return;
        }

        var length = (int)message.Length;
        var copy = ArrayPool<byte>.Shared.Rent(length);
        message.CopyTo(copy);
        server.Receive(copy.AsSpan(0, length), flow, path);
        ArrayPool<byte>.Shared.Return(copy);
    }

    // Kestrel stops, and would wait for the client until the host's patience ends.
    private static CancellationToken Stopping(ConnectionContext connection) =>
        connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;

    private static TransportAddress Address(EndPoint? endpoint)
    {
        var ip = (IPEndPoint)endpoint!;
        return TransportAddress.From(ip.Address.IsIPv4MappedToIPv6 ? new IPEndPoint(ip.Address.MapToIPv4(), ip.Port) : ip);
    }
}
