using System.IO.Pipelines;
using System.Net.Sockets;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Transport.TcpRelays;

/// <summary>
/// The connection with a peer. Nothing is read from it before it is bound: the peer's data waits in the kernel, and TCP's window stops
/// the peer when the buffer is full (RFC 6062 §5.2). Afterwards each side is read only as fast as the other side accepts data, and
/// within the traffic limits.
/// </summary>
internal sealed class PeerSocket(Socket socket, RelaySockets sockets, EngineHost host, TimeProvider time) : PeerTransport
{
    // After a client has closed its half, the peer may still send. A peer that is silent for this long is given up.
    private static readonly TimeSpan HalfClosedTime = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _closed = new();
    private bool _isHalfClosed;
    private int _isDisposed;

    /// <summary>Carries octets both ways until either side ends, the allocation does, or the server stops.</summary>
    public async Task RelayAsync(PeerConnection connection, IDuplexPipe client, CancellationToken stop)
    {
        try
        {
            using var end = CancellationTokenSource.CreateLinkedTokenSource(_closed.Token, stop);
            var toClient = ToClientAsync(connection, client.Output, end);
            var toPeer = ToPeerAsync(connection, client.Input, end.Token);
            if (await Task.WhenAny(toClient, toPeer) == toPeer)
            {
                Volatile.Write(ref _isHalfClosed, true);
                end.CancelAfter(HalfClosedTime);
            }
            else
            {
                await end.CancelAsync();
            }

            await Task.WhenAll(toClient, toPeer);
        }
        finally
        {
            host.PeerConnectionClosed(connection);
            Dispose();
        }
    }

    public override void Dispose()
    {
        // Not synchronously: the gate is held, and continuations of this cancellation would need it.
        _ = _closed.CancelAsync();
        socket.Dispose();
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0) sockets.Return();
    }

    private async Task ToPeerAsync(PeerConnection connection, PipeReader input, CancellationToken end)
    {
        try
        {
            while (true)
            {
                var read = await input.ReadAsync(end);
                foreach (var segment in read.Buffer)
                {
                    for (var left = segment; left.Length > 0;) left = left[await socket.SendAsync(left, end)..];
                    await PauseAsync(host.CountToPeer(connection, segment.Length), end);
                }

                input.AdvanceTo(read.Buffer.End);
                if (!read.IsCompleted) continue;
                socket.Shutdown(SocketShutdown.Send);
                return;
            }
        }
        catch (Exception error) when (IsEnd(error))
        {
            // One side is gone, so the other one is closed.
            await _closed.CancelAsync();
        }
    }

    private async Task ToClientAsync(PeerConnection connection, PipeWriter output, CancellationTokenSource end)
    {
        try
        {
            while (true)
            {
                var length = await socket.ReceiveAsync(output.GetMemory(), end.Token);
                if (length == 0) return;
                if (Volatile.Read(ref _isHalfClosed)) end.CancelAfter(HalfClosedTime);
                output.Advance(length);
                var pause = host.CountToClient(connection, length);
                if ((await output.FlushAsync(end.Token)).IsCompleted) return;
                await PauseAsync(pause, end.Token);
            }
        }
        catch (Exception error) when (IsEnd(error))
        {
            // As above.
        }
    }

    // Unread data stops its sender by TCP's window. So the traffic limits slow a stream down, and lose nothing.
    private Task PauseAsync(TimeSpan pause, CancellationToken end) =>
        pause > TimeSpan.Zero ? Task.Delay(pause, time, end) : Task.CompletedTask;

    private static bool IsEnd(Exception error) =>
        error is SocketException or IOException or OperationCanceledException or ObjectDisposedException;
}
