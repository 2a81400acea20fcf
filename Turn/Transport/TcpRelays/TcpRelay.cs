using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Transport.TcpRelays;

/// <summary>
/// A relayed transport address for TCP: peers connect to it, and connections to peers leave from it (RFC 6062 §5.2, §5.3).
/// </summary>
internal sealed class TcpRelay : Relay
{
    // RFC 6062 §5.2 wants 30 seconds at least.
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(30);

    // The process is out of descriptors. The pause gives other connections time to close.
    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(100);

    private const int Backlog = 16;

    private readonly Socket _listener;
    private readonly Action<ushort> _onClosed;
    private readonly RelaySockets _sockets;
    private readonly EngineHost _host;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _closed = new();

    /// <exception cref="SocketException">The port is taken.</exception>
    public TcpRelay(
        IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed, RelaySockets sockets, EngineHost host, TimeProvider time)
        : base(TransportAddress.From(bind), new TransportAddress(advertise, (ushort)bind.Port))
    {
        (_onClosed, _sockets, _host, _time) = (onClosed, sockets, host, time);
        RefuseTakenPort(bind);
        _listener = NewSocket();
        try
        {
            _listener.Bind(bind);
            _listener.Listen(Backlog);
        }
        catch
        {
            _listener.Dispose();
            throw;
        }
    }

    /// <summary>Takes connections of peers until the relay is closed.</summary>
    public async Task AcceptAsync(Allocation allocation)
    {
        while (!_closed.IsCancellationRequested)
        {
            try
            {
                var socket = await _listener.AcceptAsync(_closed.Token);
                socket.NoDelay = true;
                if (socket.RemoteEndPoint is IPEndPoint peer && _sockets.TryTake())
                    _host.PeerConnected(allocation, TransportAddress.From(peer), new PeerSocket(socket, _sockets, _host, _time));
                else socket.Dispose();
            }
            catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // The peer has gone before it was accepted, or the process is out of descriptors.
                await Task.Delay(AcceptPause, _time, _closed.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>
    /// Null when the peer refuses, does not answer in time, the relay is closed meanwhile, or too many sockets are open.
    /// </summary>
    public async Task<PeerSocket?> TryConnectAsync(TransportAddress peer)
    {
        if (!_sockets.TryTake()) return null;
        Socket? socket = null;
        try
        {
            socket = NewSocket();
            using var timeout = new CancellationTokenSource(ConnectTimeout, _time);
            using var end = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _closed.Token);
            socket.Bind(Bound.ToIPEndPoint());
            await socket.ConnectAsync(peer.ToIPEndPoint(), end.Token);
            return new PeerSocket(socket, _sockets, _host, _time);
        }
        catch (Exception error) when (error is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            socket?.Dispose();
            _sockets.Return();
            return null;
        }
    }

    /// <summary>Nothing: a TCP allocation relays no datagrams.</summary>
    public override void Send(in TransportAddress peer, ReadOnlySpan<byte> payload)
    {
    }

    /// <inheritdoc/>
    public override void SendUnfragmented(in TransportAddress peer, ReadOnlySpan<byte> payload)
    {
    }

    public override void Dispose()
    {
        if (_closed.IsCancellationRequested) return;

        // Not synchronously: the gate is held, and continuations of this cancellation would need it.
        _ = _closed.CancelAsync();
        _listener.Dispose();
        _onClosed(Bound.Port);
    }

    // Several sockets listen and connect at one address, so each needs SO_REUSEADDR before it is bound.
    private Socket NewSocket()
    {
        var socket = new Socket(Bound.ToIPEndPoint().AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        return socket;
    }

    // With SO_REUSEADDR, another program of the same user could share the port and take half of its connections.
    private static void RefuseTakenPort(IPEndPoint endpoint)
    {
        using var probe = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(endpoint);
    }
}
