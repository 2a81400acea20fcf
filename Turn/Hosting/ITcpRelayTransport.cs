using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;

namespace WebRtcIms.Turn.Hosting;

/// <summary>Opens the relays of TCP allocations, and connections from them to peers (RFC 6062).</summary>
internal interface ITcpRelayTransport : IRelayTransport
{
    /// <summary>Null when the peer refuses, does not answer in time, or the relay is closed in between.</summary>
    Task<PeerTransport?> TryConnectAsync(Relay relay, TransportAddress peer);
}
