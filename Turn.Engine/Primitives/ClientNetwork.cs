using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Engine.Primitives;

/// <summary>What limits count as one client.</summary>
public static class ClientNetwork
{
    /// <summary>
    /// An IPv4 address, or the /64 of an IPv6 one: a host chooses the other 64 bits itself (RFC 8981), and would have every
    /// quota 2^64 times.
    /// </summary>
    public static InternetAddress Of(InternetAddress client) =>
        client.Family == StunAddressFamily.IPv6 ? InternetAddress.FromIPv6(client.Bits >> 64 << 64) : client;
}
