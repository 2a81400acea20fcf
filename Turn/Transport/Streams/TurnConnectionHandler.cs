using System.Buffers;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Transport.TcpRelays;

namespace WebRtcIms.Turn.Transport.Streams;

/// <summary>
/// The server's TCP side, on Kestrel: it reads messages from the stream and hands them to the host. An allocation ends
/// with its stream (RFC 8656 §5).
/// </summary>
internal sealed class TurnConnectionHandler(IReadOnlyList<EngineHost> hosts, TurnMetrics metrics, TimeProvider time) : ConnectionHandler
{
    // The time from a message's first octet to its last. A client that stops in the middle, or sends very slowly, only holds memory.
    private static readonly TimeSpan FrameTimeout = TimeSpan.FromSeconds(30);

    // A stream without an allocation is of no use, whatever its client sends. Only an allocation keeps it, and that needs credentials.
    private static readonly TimeSpan UselessLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(10);

    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        var transport = connection.Features.Get<ITlsHandshakeFeature>() is null ? ClientTransport.Tcp : ClientTransport.Tls;
        var flow = new FiveTuple(transport, Address(connection.RemoteEndPoint), Address(connection.LocalEndPoint));
        var host = hosts[(int)((uint)flow.GetHashCode() % hosts.Count)];
        await using var path = new StreamPath(connection, metrics, time);
        try
        {
            if (await ReadAsync(connection, host, flow, path) is not { } peer) return;

            // The response to the ConnectionBind comes before the first octet of the peer.
            await path.DisposeAsync();
            await ((PeerSocket)peer.Stream!).RelayAsync(peer, connection.Transport, Stopping(connection));
        }
        catch (Exception error) when (error is ConnectionResetException or ConnectionAbortedException or OperationCanceledException
            or IOException)
        {
            // The client is gone. The reason does not matter.
        }
        finally
        {
            host.StreamClosed(flow);
        }
    }

    /// <summary>Handles messages until the stream ends, or is bound to the connection with a peer that is returned.</summary>
    private async Task<PeerConnection?> ReadAsync(ConnectionContext connection, EngineHost host, FiveTuple flow, StreamPath path)
    {
        var input = connection.Transport.Input;
        using var stalled = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);

        var isStopping = false;
        using var stopping = Stopping(connection).Register(Stop);
        var place = connection.Features.Get<AdmittedConnection>();
        var lastUseful = time.GetTimestamp();
        using var check = time.CreateTimer(_ => EndIfUseless(), null, CheckInterval, CheckInterval);
        var isWithinMessage = false;
        var isFirst = true;
        while (true)
        {
            var read = await input.ReadAsync(stalled.Token);
            if (read.IsCanceled) return null;
            var buffer = read.Buffer;
            if (!HandleMessages(ref buffer, ref isFirst, host, flow, path, out var boundTo, out var isFull)) return null;
            if (boundTo is not null)
            {
                input.AdvanceTo(buffer.Start);
                return boundTo;
            }

            if (isFull)
            {
                // The rest of the buffer is read again at once.
                input.AdvanceTo(buffer.Start);
                await path.WaitForRoomAsync();
                if (Volatile.Read(ref isStopping)) return null;
                continue;
            }

            var isNewMessage = !isWithinMessage || buffer.Length < read.Buffer.Length;
            isWithinMessage = !buffer.IsEmpty;
            if (!isWithinMessage) stalled.CancelAfter(Timeout.InfiniteTimeSpan);
            else if (isNewMessage) stalled.CancelAfter(FrameTimeout);
            input.AdvanceTo(buffer.Start, buffer.End);
            if (!read.IsCompleted) continue;
            await path.WaitForAnswersAsync();
            return null;
        }

        void Stop()
        {
            Volatile.Write(ref isStopping, true);
            path.StopWaiting();
            input.CancelPendingRead();
        }

        void EndIfUseless()
        {
            if (host.Knows(flow))
            {
                lastUseful = time.GetTimestamp();
                place?.TryAuthenticate();
                return;
            }

            place?.Demote();
            if (time.GetElapsedTime(lastUseful) >= UselessLimit) Stop();
        }
    }

    /// <summary>
    /// Handles all whole messages, until too many responses wait, and leaves the rest; false when the stream cannot be followed any more.
    /// </summary>
    private static bool HandleMessages(
        ref ReadOnlySequence<byte> buffer, ref bool isFirst, EngineHost host, in FiveTuple flow, StreamPath path,
        out PeerConnection? boundTo, out bool isFull)
    {
        (boundTo, isFull) = (null, false);
        Span<byte> octets = stackalloc byte[StreamFraming.StartLength];
        while (!buffer.IsEmpty)
        {
            isFull = path.IsFull;
            if (isFull) return true;
            var start = octets[..(int)Math.Min(buffer.Length, octets.Length)];
            buffer.Slice(0, start.Length).CopyTo(start);
            if (!StreamFraming.MayStart(start, isFirst)) return false;
            if (start.Length < StreamFraming.PrefixLength) return true;
            var length = StreamFraming.FrameLength(start);
            if (buffer.Length < length) return true;
            isFirst = false;
            boundTo = Handle(buffer.Slice(0, length), host, flow, path);
            buffer = buffer.Slice(length);
            if (boundTo is not null) return true;
        }

        return true;
    }

    private static PeerConnection? Handle(in ReadOnlySequence<byte> message, EngineHost host, in FiveTuple flow, StreamPath path)
    {
        if (message.IsSingleSegment) return host.Receive(message.FirstSpan, flow, path);

        var length = (int)message.Length;
        var copy = ArrayPool<byte>.Shared.Rent(length);
        message.CopyTo(copy);
        var boundTo = host.Receive(copy.AsSpan(0, length), flow, path);
        ArrayPool<byte>.Shared.Return(copy);
        return boundTo;
    }

    // Kestrel stops, and would wait for the client until the host's shutdown timeout.
    private static CancellationToken Stopping(ConnectionContext connection) =>
        connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;

    private static TransportAddress Address(EndPoint? endpoint)
    {
        var ip = (IPEndPoint)endpoint!;
        return TransportAddress.From(ip.Address.IsIPv4MappedToIPv6 ? new IPEndPoint(ip.Address.MapToIPv4(), ip.Port) : ip);
    }
}
