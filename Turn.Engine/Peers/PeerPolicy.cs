using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Engine.Peers;

/// <summary>
/// Which peers may be relayed to. Every range of IANA's special-purpose registries is denied by default, because a relay
/// that reaches its own host or network lets strangers in (RFC 8656 §21.1.7, §21.3.1).
/// </summary>
/// <remarks>
/// An IPv4 address written into an IPv6 one (mapped, compatible, 6to4, Teredo, NAT64, ISATAP) is checked as both: the
/// IPv4 address must also be allowed. Tunnelled forms are denied altogether (RFC 8656 §21.4).
/// Order: what the server itself listens on or depends on is denied whatever else is configured; then allowed ranges pass; then
/// denied ones and the special-purpose ranges do not.
/// <para>
/// This machine is a special case. Two clients of one server talk through two relays, so relays reach each other. A client reaches nothing
/// else of this machine, whatever the address: services here trust its addresses. A permission has no port, so one for an address of
/// relays is granted, and the port is checked when a channel is bound, a connection is opened, and for each datagram. An allowed range
/// does not open the machine in it, except the whole loopback range: an operator who allows a network does not mean the server.
/// </para>
/// </remarks>
/// <param name="allowed">Ranges that pass although they are special.</param>
/// <param name="denied">Ranges that do not pass although they are public.</param>
/// <param name="own">
/// The server's listeners, its management port, Redis and the collector: a relay that reaches these is a way in, or a loop
/// (RFC 8656 §21.1.7). One at 0.0.0.0 or :: is at every address of this machine.
/// </param>
/// <param name="relays">The relays of this server.</param>
/// <param name="opensMachine">Whether the addresses of this machine are like others.</param>
public sealed class PeerPolicy(
    IReadOnlyList<AddressRange> allowed, IReadOnlyList<AddressRange> denied, IReadOnlySet<TransportAddress> own, LiveRelays? relays = null,
    bool opensMachine = false)
{
    private static readonly InternetAddress AnyIPv4 = InternetAddress.Parse("0.0.0.0");
    private static readonly InternetAddress AnyIPv6 = InternetAddress.Parse("::");

    // Arrays: to enumerate a list would make garbage for each datagram.
    private readonly AddressRange[] _allowed = [.. allowed];
    private readonly AddressRange[] _denied = [.. denied];
    private readonly AddressRange[] _opened = [.. Loopback.Where(allowed.Contains)];
    private IReadOnlySet<InternetAddress> _machine = new HashSet<InternetAddress>();
    private IReadOnlySet<TransportAddress> _own = own;

    private static readonly AddressRange[] SpecialPurpose = Ranges(
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "::/128", "::1/128", "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23",
        "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10",
        "ff00::/8");

    /// <summary>127.0.0.0/8 and ::1: allowed when everything runs on one machine.</summary>
    public static readonly AddressRange[] Loopback = Ranges("127.0.0.0/8", "::1/128");

    /// <summary>Whether an address is not one host's: multicast or broadcast.</summary>
    public static bool IsMulticast(InternetAddress address) => address.Family == StunAddressFamily.IPv4
        ? address.Bits >> 28 == 0xE || address.Bits == uint.MaxValue
        : address.Bits >> 120 == 0xFF;

    /// <summary>The addresses of this machine beside loopback. They may be replaced at any time.</summary>
    public IReadOnlySet<InternetAddress> Machine
    {
        get => Volatile.Read(ref _machine);
        set => Volatile.Write(ref _machine, value);
    }

    /// <summary>What the server itself listens on or depends on. It may be replaced at any time.</summary>
    public IReadOnlySet<TransportAddress> Own
    {
        get => Volatile.Read(ref _own);
        set => Volatile.Write(ref _own, value);
    }

    /// <summary>The live relays of this server.</summary>
    public LiveRelays Relays { get; } = relays ?? LiveRelays.None;

    /// <summary>Whether the address may be a peer; a refusal is 403 (RFC 8656 §10.2).</summary>
    public bool Allows(InternetAddress peer)
    {
        if (TryUnwrap(peer, out var inner) && !Allows(inner)) return false;
        var isClosed = IsClosedMachine(peer);
        if (!isClosed && IsIn(_allowed, peer)) return true;
        if (IsIn(_denied, peer)) return false;
        return Relays.IsAddress(peer) || (!isClosed && !IsIn(SpecialPurpose, peer));
    }

    /// <summary>Whether a client may reach a port of an address for which it may have a permission.</summary>
    /// <param name="peer">The address and port.</param>
    /// <param name="isTcp">Over TCP (RFC 6062) rather than UDP.</param>
    public bool MayReach(in TransportAddress peer, bool isTcp = false) =>
        !IsOwn(peer) && (!NeedsRelay(peer, out var at) || IsRelay(at, isTcp));

    /// <summary>
    /// Whether only the port of a relay may be reached at an address, because it is one of this machine's. The answer holds for a while:
    /// it is asked for once for each channel.
    /// </summary>
    /// <param name="peer">The address and port.</param>
    /// <param name="at">The same, without the IPv6 address that it may be written in.</param>
    public bool NeedsRelay(in TransportAddress peer, out TransportAddress at)
    {
        at = TryUnwrap(peer.Address, out var inner) && IsClosedMachine(inner) ? peer with { Address = inner } : peer;
        return IsClosedMachine(at.Address);
    }

    /// <summary>Whether this is the address of a live relay of this server.</summary>
    public bool IsRelay(in TransportAddress address, bool isTcp = false) => Relays.Contains(address, isTcp);

    /// <summary>Whether a peer is one of the server's own addresses.</summary>
    public bool IsOwn(in TransportAddress peer) =>
        IsOwnAt(peer) || (TryUnwrap(peer.Address, out var inner) && IsOwnAt(peer with { Address = inner }));

    private bool IsOwnAt(in TransportAddress peer)
    {
        var own = Own;
        if (own.Contains(peer)) return true;
        var any = peer.Address.Family == StunAddressFamily.IPv6 ? AnyIPv6 : AnyIPv4;
        return own.Contains(peer with { Address = any }) && IsMachine(peer.Address);
    }

    // 0.0.0.0 and :: are this machine for a socket that sends to them.
    private bool IsMachine(InternetAddress address) =>
        IsIn(Loopback, address) || address == AnyIPv4 || address == AnyIPv6 || Machine.Contains(address) || Relays.IsAddress(address);

    private bool IsClosedMachine(InternetAddress address) => !opensMachine && IsMachine(address) && !IsIn(_opened, address);

    private static bool IsIn(AddressRange[] ranges, InternetAddress address)
    {
        foreach (var range in ranges)
        {
            if (range.Contains(address)) return true;
        }

        return false;
    }

    /// <summary>Finds the IPv4 address inside an IPv6 one.</summary>
    private static bool TryUnwrap(InternetAddress address, out InternetAddress inner)
    {
        inner = default;
        if (address.Family != StunAddressFamily.IPv6) return false;
        var bits = address.Bits;
        var top = (uint)(bits >> 96);
        var low = (uint)bits;

        var isCompatible = bits >> 32 == 0 && low > 1;
        var isMapped = bits >> 32 == 0xFFFF;
        var isTranslated = bits >> 48 == 0xFFFF && (ushort)(bits >> 32) == 0;
        var isNat64 = top == 0x0064_FF9B;
        var isIsatap = (uint)(bits >> 32) is 0x0000_5EFE or 0x0200_5EFE;
        uint? wrapped = 0 switch
        {
            _ when isCompatible || isMapped || isTranslated || isNat64 || isIsatap => low,
            _ when top >> 16 == 0x2002 => (uint)(bits >> 80), // 6to4
            _ when top == 0x2001_0000 => ~low, // Teredo
            _ => null,
        };
        if (wrapped is not { } ipv4) return false;
        inner = InternetAddress.FromIPv4(ipv4);
        return true;
    }

    private static AddressRange[] Ranges(params string[] ranges) => [.. ranges.Select(AddressRange.Parse)];
}
