using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Transport.TcpRelays;

/// <summary>Opens relays for TCP allocations (RFC 6062), on the socket API of every system.</summary>
internal sealed class TcpRelayTransport(EngineHost host, RelayBinder relays, RelaySockets sockets, TimeProvider time) : ITcpRelayTransport
{
    public AllocationDecision Bind(RelayRequest request, InternetAddress server) =>
        relays.Bind(request, server, (bind, advertise, onClosed) => new TcpRelay(bind, advertise, onClosed, sockets, host, time));

    public async Task<PeerTransport?> TryConnectAsync(Relay relay, TransportAddress peer) =>
        await ((TcpRelay)relay).TryConnectAsync(peer).ConfigureAwait(false);

    // A TCP allocation's packets come over streams, which any worker may use.
    public ClientPath PathFor(in FiveTuple flow, ClientPath path) => path;

    public void Start(Relay relay, Allocation allocation) => _ = ((TcpRelay)relay).AcceptAsync(allocation);
}
