using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Telemetry;

namespace WebRtcIms.Turn.Transport.Portable;

/// <summary>The server's UDP side on one address.</summary>
internal sealed class UdpListener : ClientPath, IDisposable
{
    private readonly DatagramSocket _socket;
    private readonly TransportAddress _local;
    private readonly EngineHost _host;

    /// <exception cref="System.Net.Sockets.SocketException">The address cannot be bound.</exception>
    public UdpListener(IPEndPoint endpoint, EngineHost host, TurnMetrics metrics)
    {
        _socket = new DatagramSocket(endpoint, metrics);
        _local = TransportAddress.From(endpoint);
        _host = host;
    }

    public Task ReceiveAsync() => _socket.ReceiveAsync(headroom: 0, tailroom: 0, Receive);

    public override void Send(in TransportAddress client, ReadOnlySpan<byte> message) => _socket.Send(client, message);

    public void Dispose() => _socket.Dispose();

    private void Receive(in TransportAddress sender, Span<byte> datagram) =>
        _host.Receive(datagram, new FiveTuple(ClientTransport.Udp, sender, _local), this);
}
