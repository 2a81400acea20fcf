using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Telemetry;

namespace WebRtcIms.Turn.Transport.Portable;

/// <summary>Takes what a peer sent to an allocation's relay; the buffer has the engine's headroom and tailroom.</summary>
internal delegate void PeerReceiver(Allocation allocation, in TransportAddress peer, Span<byte> buffer);

/// <summary>A relayed transport address on a socket of its own.</summary>
internal sealed class PortableRelay : Relay
{
    private readonly DatagramSocket _socket;
    private readonly Action<ushort> _onClosed;
    private int _closed;

    /// <exception cref="System.Net.Sockets.SocketException">The port is taken.</exception>
    public PortableRelay(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed, TurnMetrics metrics)
        : base(TransportAddress.From(bind), new TransportAddress(advertise, (ushort)bind.Port))
    {
        _socket = new DatagramSocket(bind, metrics);
        _onClosed = onClosed;
    }

    /// <summary>Delivers what peers send to <paramref name="allocation"/> from now on.</summary>
    public void Start(Allocation allocation, PeerReceiver onPeer) => _ = _socket.ReceiveAsync(
        TurnEngine.Headroom,
        TurnEngine.Tailroom,
        (in TransportAddress sender, Span<byte> buffer) => onPeer(allocation, sender, buffer));

    public override void Send(in TransportAddress peer, ReadOnlySpan<byte> payload) => _socket.Send(peer, payload);

    public override void SendUnfragmented(in TransportAddress peer, ReadOnlySpan<byte> payload) =>
        _socket.SendUnfragmented(peer, payload);

    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0) return;
        _socket.Dispose();
        _onClosed(Bound.Port);
    }
}
