using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Engine.Peers;

/// <summary>Where relays are bound, and the address that clients and peers get: another one behind a one-to-one NAT.</summary>
public sealed record RelayAddress(InternetAddress Bound, InternetAddress Advertised)
{
    internal bool IsTranslated { get; } = Bound != Advertised;
}

/// <summary>
/// The live relayed transport addresses of this server: the only ports of this machine that a client may reach by default. All engines
/// read it for each packet to this machine, and the host changes it, without a lock. A port of a family is one relay's, whatever its
/// address.
/// </summary>
/// <param name="addresses">The addresses of relays, bound and advertised.</param>
public sealed class LiveRelays(params IEnumerable<InternetAddress> addresses)
{
    private readonly PortTable _udpIPv4 = new(), _udpIPv6 = new(), _tcpIPv4 = new(), _tcpIPv6 = new();
    private HashSet<InternetAddress> _addresses = [.. addresses];
    private volatile bool _areTranslated;

    /// <summary>A server without relays.</summary>
    public static LiveRelays None { get; } = new();

    /// <summary>The addresses of new relays, bound and advertised, from now on. Live relays keep theirs.</summary>
    public void SetAddresses(IEnumerable<InternetAddress> current) => Volatile.Write(ref _addresses, [.. current]);

    /// <summary>The port is bound to a relay from now on.</summary>
    public void Add(RelayAddress address, bool isTcp, ushort port)
    {
        if (address.IsTranslated) _areTranslated = true;
        PortsOf(address.Bound.Family, isTcp)[port] = address;
    }

    /// <summary>The relay is closed.</summary>
    public void Remove(StunAddressFamily family, bool isTcp, ushort port) => PortsOf(family, isTcp)[port] = null;

    /// <summary>Whether relays have this address.</summary>
    public bool IsAddress(InternetAddress address) => Volatile.Read(ref _addresses).Contains(address);

    /// <summary>Whether this is the address of a live relay.</summary>
    public bool Contains(in TransportAddress address, bool isTcp) =>
        PortsOf(address.Address.Family, isTcp)[address.Port] is { } relay
            && (relay.Bound == address.Address || relay.Advertised == address.Address);

    /// <summary>
    /// Where a live relay is bound, if this is its advertised address; otherwise the same address. A NAT between the two need not send
    /// back what comes from inside.
    /// </summary>
    public TransportAddress BoundOf(in TransportAddress peer, bool isTcp) =>
        _areTranslated && PortsOf(peer.Address.Family, isTcp)[peer.Port] is { } relay && relay.Advertised == peer.Address
            ? peer with { Address = relay.Bound } : peer;

    /// <summary>The advertised address of a live relay, if this is where it is bound; otherwise the same address.</summary>
    public TransportAddress AdvertisedOf(in TransportAddress peer, bool isTcp) =>
        _areTranslated && PortsOf(peer.Address.Family, isTcp)[peer.Port] is { } relay && relay.Bound == peer.Address
            ? peer with { Address = relay.Advertised } : peer;

    private PortTable PortsOf(StunAddressFamily family, bool isTcp) => family == StunAddressFamily.IPv6
        ? isTcp ? _tcpIPv6 : _udpIPv6
        : isTcp ? _tcpIPv4 : _udpIPv4;

    /// <summary>The relay of each port. Most servers need one of the four tables, so each is made when it is first written.</summary>
    private sealed class PortTable
    {
        private RelayAddress?[]? _relays;

        public RelayAddress? this[ushort port]
        {
            get => Volatile.Read(ref _relays) is { } relays ? Volatile.Read(ref relays[port]) : null;
            set => Volatile.Write(
                ref LazyInitializer.EnsureInitialized(ref _relays, () => new RelayAddress?[ushort.MaxValue + 1])[port], value);
        }
    }
}
