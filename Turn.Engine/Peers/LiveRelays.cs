using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Engine.Peers;

/// <summary>
/// The ports of the live relayed transport addresses of this server: the only ports of this machine that a client may reach by default.
/// All engines read it for each packet to this machine, and the host changes it, without a lock.
/// </summary>
/// <param name="addresses">
/// The addresses that relays are bound to, and those that they are advertised as. All have the same ports for a family.
/// </param>
public sealed class LiveRelays(params IEnumerable<InternetAddress> addresses)
{
    private readonly HashSet<InternetAddress> _addresses = [.. addresses];
    private readonly PortSet _udpIPv4 = new(), _udpIPv6 = new(), _tcpIPv4 = new(), _tcpIPv6 = new();

    /// <summary>A server without relays.</summary>
    public static LiveRelays None { get; } = new();

    /// <summary>The port is bound to a relay from now on.</summary>
    public void Add(StunAddressFamily family, bool isTcp, ushort port) => PortsOf(family, isTcp).Set(port, true);

    /// <summary>The relay is closed.</summary>
    public void Remove(StunAddressFamily family, bool isTcp, ushort port) => PortsOf(family, isTcp).Set(port, false);

    /// <summary>Whether relays have this address.</summary>
    public bool IsAddress(InternetAddress address) => _addresses.Contains(address);

    /// <summary>Whether this is the address of a live relay.</summary>
    public bool Contains(in TransportAddress address, bool isTcp) =>
        IsAddress(address.Address) && PortsOf(address.Address.Family, isTcp).Contains(address.Port);

    private PortSet PortsOf(StunAddressFamily family, bool isTcp) => family == StunAddressFamily.IPv6
        ? isTcp ? _tcpIPv6 : _udpIPv6
        : isTcp ? _tcpIPv4 : _udpIPv4;

    private sealed class PortSet
    {
        private readonly int[] _bits = new int[(ushort.MaxValue + 1) / 32];

        public bool Contains(ushort port) => (Volatile.Read(ref _bits[port / 32]) & Mask(port)) != 0;

        public void Set(ushort port, bool isLive)
        {
            if (isLive) Interlocked.Or(ref _bits[port / 32], Mask(port));
            else Interlocked.And(ref _bits[port / 32], ~Mask(port));
        }

        private static int Mask(ushort port) => 1 << (port % 32);
    }
}
