using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn.Transport.TcpRelays;

/// <summary>Opens relays for TCP allocations (RFC 6062), on the socket API of every system.</summary>
internal sealed class TcpRelayTransport(TurnServer server, TimeProvider clock) : IRelayTransport
{
    public Relay Open(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed) => new TcpRelay(bind, advertise, onClosed, server, clock);

    // A TCP allocation's packets come over streams, which any worker may use.
    public ClientPath PathFor(in FiveTuple flow, ClientPath path) => path;

    public void Start(Relay relay, Allocation allocation) => _ = ((TcpRelay)relay).AcceptAsync(allocation);
}
