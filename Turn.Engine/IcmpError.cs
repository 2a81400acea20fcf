using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Engine;

/// <summary>What the network said about a datagram that a relay had sent (RFC 792, RFC 4443).</summary>
/// <param name="Type">Type of the ICMP or ICMPv6 message.</param>
/// <param name="Code">Its code.</param>
/// <param name="Mtu">MTU of the next hop, where the message has one.</param>
public readonly record struct IcmpError(byte Type, byte Code, uint Mtu)
{
    /// <summary>
    /// Whether a client is told: destination unreachable, time exceeded, and for IPv6 also packet too big (RFC 8656 §11.5).
    /// </summary>
    public bool IsForClients(StunAddressFamily family) =>
        family == StunAddressFamily.IPv4 ? Type is 3 or 11 : Type is 1 or 2 or 3;

    /// <summary>Error Data is the MTU for "fragmentation needed" and "packet too big", and zero otherwise (RFC 8656 §18.13).</summary>
    public uint ErrorData(StunAddressFamily family) =>
        family == StunAddressFamily.IPv4 ? (Type == 3 && Code == 4 ? Mtu : 0) : (Type == 2 ? Mtu : 0);
}
