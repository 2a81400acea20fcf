using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Allocations;

/// <summary>
/// A client's relayed transport addresses with their permissions and channels (RFC 8656 §3). An allocation has an IPv4
/// relay, an IPv6 relay, or both.
/// </summary>
public sealed class Allocation(PendingAllocation request, AllocationDecision decision)
{
    private readonly Dictionary<InternetAddress, Permission> _permissions = [];
    private readonly Dictionary<ushort, ChannelBinding> _channels = [];
    private readonly Dictionary<TransportAddress, ChannelBinding> _channelsByPeer = [];

    /// <summary>The way to the client: always the same, unless the client is mobile (RFC 8016).</summary>
    public ClientFlow Client { get; internal set; } = new(request.FiveTuple, request.Path);

    /// <summary>The 5-tuple of <see cref="Client"/>: the key of the allocation (RFC 8656 §3).</summary>
    public FiveTuple FiveTuple => Client.FiveTuple;

    /// <summary>
    /// The way back of <see cref="Client"/>; <see cref="ClientPath.Closed"/> after the stream of a mobile client has ended.
    /// </summary>
    public ClientPath Path => Client.Path;

    /// <summary>Null when the client has not asked for mobility.</summary>
    internal MobilityState? Mobility { get; init; }

    /// <summary>The Allocate that made this: its retransmission gets the same answer again (RFC 8656 §7.2).</summary>
    internal TransactionId CreatedBy { get; } = request.TransactionId;

    /// <summary>The credential of <see cref="CreatedBy"/>: another user's request is not a retransmission.</summary>
    internal Credential CreatedUnder { get; } = request.Proof.Credential;

    internal uint CreatedWithLifetime { get; } = request.LifetimeSeconds;

    /// <summary>What the client must prove to hold; renewed by a Refresh with another token (RFC 7635 §9).</summary>
    public Credential Credential { get; internal set; } = request.Proof.Credential;

    /// <summary>The IPv4 relay; null when none was asked for or granted, or after a Refresh has deleted it (RFC 8656 §8.2).</summary>
    public Relay? IPv4 { get; internal set; } = decision.IPv4;

    /// <summary>The IPv6 relay; null in the same cases as <see cref="IPv4"/>.</summary>
    public Relay? IPv6 { get; internal set; } = decision.IPv6;

    /// <summary>Of two wanted families, the one that was not to be had.</summary>
    internal StunAddressFamily RefusedFamily { get; } = request.RefusedFamily;

    /// <summary>The token that names the reserved next port; 0 when none was asked for (RFC 8656 §18.10).</summary>
    internal ulong ReservationToken { get; init; }

    /// <summary>What the host keeps with the allocation, to give it back at the end: its place in the quotas, above all.</summary>
    public object? Lease { get; } = decision.Lease;

    // A Refresh may be for one of two families (RFC 8656 §8.1), so each has its own time.
    private long _ipv4ExpiresAt;
    private long _ipv6ExpiresAt;

    /// <summary>
    /// When the last of its relays expires, in milliseconds as <see cref="EngineTime.Milliseconds"/> counts them (RFC 8656 §3).
    /// </summary>
    public long ExpiresAt => Math.Max(IPv4 is null ? 0 : _ipv4ExpiresAt, IPv6 is null ? 0 : _ipv6ExpiresAt);

    /// <summary>Why it has ended.</summary>
    public AllocationEnd End { get; internal set; }

    /// <summary>Relayed datagrams and octets, for the totals at the allocation's end.</summary>
    public RelayTotals Totals { get; } = new();

    /// <summary>What it may relay in each direction.</summary>
    public TrafficLimits Limits { get; internal set; }

    // Made at the first datagram that is to be measured.
    private TrafficMeter ToPeers => field ??= new();

    private TrafficMeter ToClient => field ??= new();

    /// <summary>
    /// Meters what comes to channels. All relays of a server have one address, so a permission for one lets its other users send here
    /// (RFC 8656 §9). What they send must not take the room of the peer that the client has bound a channel to.
    /// </summary>
    private TrafficMeter ToChannels => field ??= new();

    /// <summary>Connections with peers, opened and being opened; null for an allocation that relays datagrams (RFC 6062).</summary>
    internal Dictionary<TransportAddress, PeerConnection>? PeerConnections { get; } = request.Relays.IsTcp ? [] : null;

    /// <summary>Permissions in memory, with the expired ones that no sweep has removed yet.</summary>
    public int PermissionCount => _permissions.Count;

    /// <summary>Channel bindings in memory, with those in their cool-down (RFC 8656 §12).</summary>
    public int ChannelCount => _channels.Count;

    internal bool TryRelayToPeer(int octets, long now) => TryRelay(ToPeers, toPeers: true, octets, now);

    internal bool TryRelayToClient(int octets, bool onChannel, long now) =>
        TryRelay(onChannel ? ToChannels : ToClient, toPeers: false, octets, now);

    private bool TryRelay(TrafficMeter own, bool toPeers, int octets, long now)
    {
        var hasRoom = own.HasRoom(Limits, now)
            && decision.UserTraffic?.HasRoom(toPeers, Limits, now) != false
            && decision.AddressTraffic?.HasRoom(toPeers, Limits, now) != false;
        if (hasRoom) Pay(own, toPeers, octets, now);
        return hasRoom;
    }

    private void Pay(TrafficMeter own, bool toPeers, int octets, long now)
    {
        own.Pay(octets, Limits, now);
        decision.UserTraffic?.Pay(toPeers, octets, Limits, now);
        decision.AddressTraffic?.Pay(toPeers, octets, Limits, now);
    }

    /// <summary>
    /// How long a client's data connection is not read after these octets (RFC 6062): nothing of a stream can be dropped. Each read counts
    /// as a packet.
    /// </summary>
    public TimeSpan PaceToPeer(int octets, long now) => Pace(ToPeers, toPeers: true, octets, now);

    /// <summary>As <see cref="PaceToPeer"/>, for a peer's connection.</summary>
    public TimeSpan PaceToClient(int octets, long now) => Pace(ToClient, toPeers: false, octets, now);

    private TimeSpan Pace(TrafficMeter own, bool toPeers, int octets, long now)
    {
        Pay(own, toPeers, octets, now);
        var (user, address) = (decision.UserTraffic?.Pause(toPeers, now), decision.AddressTraffic?.Pause(toPeers, now));
        return new[] { own.Pause(now), user ?? TimeSpan.Zero, address ?? TimeSpan.Zero }.Max();
    }

    /// <summary>The relay of a family; null when the allocation has none. Every family except IPv6 counts as IPv4.</summary>
    public Relay? RelayFor(StunAddressFamily family) => family == StunAddressFamily.IPv6 ? IPv6 : IPv4;

    internal long ExpiresAtOf(StunAddressFamily family) => family == StunAddressFamily.IPv6 ? _ipv6ExpiresAt : _ipv4ExpiresAt;

    /// <summary>Starts the time of one family anew, or of both if none is named.</summary>
    internal void Extend(StunAddressFamily family, long expiresAt)
    {
        if (family != StunAddressFamily.IPv6) _ipv4ExpiresAt = expiresAt;
        if (family != StunAddressFamily.IPv4) _ipv6ExpiresAt = expiresAt;
    }

    /// <summary>Removes the relay of a family with its permissions and channels (RFC 8656 §8.1), and returns it.</summary>
    internal Relay RemoveRelay(StunAddressFamily family)
    {
        var relay = RelayFor(family)!;
        if (family == StunAddressFamily.IPv6) IPv6 = null;
        else IPv4 = null;
        foreach (var channel in _channels.Values.Where(channel => channel.Peer.Address.Family == family)) Remove(channel);
        foreach (var peer in _permissions.Keys.Where(peer => peer.Family == family)) _permissions.Remove(peer);
        return relay;
    }

    private void Remove(ChannelBinding channel)
    {
        _channels.Remove(channel.Number);
        _channelsByPeer.Remove(channel.Peer);
    }

    internal bool HasPermission(InternetAddress peer, long now) =>
        _permissions.TryGetValue(peer, out var permission) && permission.IsLive(now);

    internal bool KnowsPermission(InternetAddress peer) => _permissions.ContainsKey(peer);

    /// <summary>Installs a permission or starts its time anew.</summary>
    internal Permission Permit(InternetAddress peer, EngineTime time)
    {
        if (!_permissions.TryGetValue(peer, out var permission)) _permissions[peer] = permission = new Permission(peer);
        permission.ExpiresAt = time.After(Permission.Lifetime);
        return permission;
    }

    internal ChannelBinding? Channel(ushort number) => _channels.GetValueOrDefault(number);

    internal ChannelBinding? ChannelTo(TransportAddress peer) => _channelsByPeer.GetValueOrDefault(peer);

    /// <summary>Binds a channel or starts its time anew, and that of its permission (RFC 8656 §12.2).</summary>
    /// <param name="number">The channel.</param>
    /// <param name="peer">The peer.</param>
    /// <param name="relay">The relay of this server that the peer must be; null for a peer at another machine.</param>
    /// <param name="time">Now.</param>
    internal void Bind(ushort number, TransportAddress peer, TransportAddress? relay, EngineTime time)
    {
        var permission = Permit(peer.Address, time);
        if (!_channels.TryGetValue(number, out var binding) || binding.Peer != peer)
        {
            // What number and peer were bound to before has let go of both.
            if (binding is not null) _channelsByPeer.Remove(binding.Peer);
            if (_channelsByPeer.Remove(peer, out var former)) _channels.Remove(former.Number);
            _channels[number] = _channelsByPeer[peer] = binding = new ChannelBinding(number, peer, permission);
        }

        binding.Relay = relay;
        binding.ExpiresAt = time.After(ChannelBinding.Lifetime);
    }

    /// <summary>Forgets what has expired. Rules ask for liveness themselves; this only returns the memory.</summary>
    internal void Sweep(long now)
    {
        foreach (var binding in _channels.Values)
        {
            if (!binding.HoldsItsNumber(now)) Remove(binding);
        }

        // A channel refers to its permission, which CreatePermission may bring back to life.
        foreach (var permission in _permissions.Values)
        {
            if (!permission.IsLive(now) && _channels.Values.All(binding => binding.Permission != permission))
                _permissions.Remove(permission.Peer);
        }
    }
}

/// <summary>Why an allocation has ended.</summary>
public enum AllocationEnd : byte
{
    /// <summary>It has not ended.</summary>
    None,

    /// <summary>Its lifetime is over (RFC 8656 §7.2).</summary>
    Expired,

    /// <summary>By a Refresh with LIFETIME 0.</summary>
    Deleted,

    /// <summary>The client's TCP or TLS stream, or its DTLS session, has ended (RFC 8656 §5).</summary>
    StreamClosed,

    /// <summary>Its token, the token's client or the long-term key was revoked.</summary>
    Revoked,

    /// <summary>By an operator.</summary>
    Disconnected,

    /// <summary>The server stops.</summary>
    ServerStopped,

    /// <summary>Its relays could not be started, so its client never got it.</summary>
    Failed,
}

/// <summary>What an allocation has relayed.</summary>
public sealed class RelayTotals
{
    // Most allocations never drop a packet.
    private long[]? _drops;

    /// <summary>Datagrams from the client to peers; 0 for a TCP allocation, whose octets only the host counts.</summary>
    public long PacketsToPeers { get; set; }

    /// <summary>Octets of payload from the client to peers, without headers.</summary>
    public long BytesToPeers { get; set; }

    /// <summary>Datagrams from peers to the client; 0 for a TCP allocation.</summary>
    public long PacketsToClient { get; set; }

    /// <summary>Octets of payload from peers to the client, without headers.</summary>
    public long BytesToClient { get; set; }

    /// <summary>Packets of the client or of peers that went nowhere.</summary>
    public long Drops(DropReason reason) => _drops?[(int)reason] ?? 0;

    /// <summary>Counts one packet that was dropped.</summary>
    public void CountDrop(DropReason reason)
    {
        _drops ??= new long[Enum.GetValues<DropReason>().Length];
        _drops[(int)reason]++;
    }
}
