using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;

namespace WebRtcIms.Turn.Transport.Portable;

/// <summary>The server's UDP side on one address.</summary>
internal sealed class UdpListener : ClientPath, IDisposable
{
    private readonly DatagramSocket _socket;
    private readonly TransportAddress _local;
    private readonly EngineHost _host;

    /// <exception cref="System.Net.Sockets.SocketException">The address cannot be bound.</exception>
    public UdpListener(IPEndPoint endpoint, EngineHost host)
    {
        _socket = new DatagramSocket(endpoint);
        _local = TransportAddress.From(endpoint);
        _host = host;
    }

    public Task ReceiveAsync() => _socket.ReceiveAsync(headroom: 0, tailroom: 0, Receive);

    public override void Send(in TransportAddress client, ReadOnlySpan<byte> message) => _socket.Send(client, message);

    public void Dispose() => _socket.Dispose();

    private void Receive(in TransportAddress sender, Span<byte> datagram)
    {
        // A response cannot be sent to port 0, and a response to our own address would loop for ever.
        if (sender.Port == 0 || sender == _local) return;
        _host.Receive(datagram, new FiveTuple(ClientTransport.Udp, sender, _local), this);
    }
}
