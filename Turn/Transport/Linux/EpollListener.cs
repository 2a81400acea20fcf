using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn.Transport.Linux;

/// <summary>
/// One worker's share of a listening address: every worker binds the same address with SO_REUSEPORT, and the kernel gives a
/// client's datagrams always to the same one.
/// </summary>
internal sealed class EpollListener(IPEndPoint endpoint) : ClientPath, IDisposable
{
    private readonly DatagramSocket _socket = new(endpoint, sharesPort: true);

    public TransportAddress Local { get; } = TransportAddress.From(endpoint);

    public int Descriptor => _socket.Descriptor;

    /// <summary>What goes to clients at the end of the turn.</summary>
    public SendBatch ToClients { get; } = new();

    public override void Send(in TransportAddress client, ReadOnlySpan<byte> message) => _socket.Send(client, message);

    public void Dispose()
    {
        _socket.Dispose();
        ToClients.Dispose();
    }
}
