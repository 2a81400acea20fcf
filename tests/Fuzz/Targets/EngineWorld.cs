using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Fuzz.Targets;

/// <summary>
/// The engines of one server with clients, peers, a clock and a host that does what <c>EngineHost</c> does, and beside them a second
/// book of what is permitted and held. Where the two differ, a <see cref="FindingException"/> is thrown.
/// </summary>
internal sealed partial class EngineWorld : IDisposable
{
    private static readonly FiveTuple[] Flows =
    [
        Flow(ClientTransport.Udp, "198.51.100.7:40000", "192.0.2.1:3478"),
        Flow(ClientTransport.Udp, "198.51.100.7:40001", "192.0.2.1:3478"),
        Flow(ClientTransport.Tcp, "198.51.100.8:40002", "192.0.2.1:3478"),
        Flow(ClientTransport.Tls, "[2001:db8:1::7]:40003", "[2001:db8:1::1]:5349"),

        // These reach the second engine.
        Flow(ClientTransport.Udp, "198.51.100.9:40004", "192.0.2.1:3478"),
        Flow(ClientTransport.Tcp, "198.51.100.8:40005", "192.0.2.1:3478"),
        Flow(ClientTransport.Tls, "198.51.100.9:40006", "192.0.2.1:5349"),
        Flow(ClientTransport.Dtls, "198.51.100.9:40007", "192.0.2.1:5349"),
    ];

    private static readonly TransportAddress OwnAddress = Address("203.0.113.1:6379");

    private static readonly TransportAddress[] Peers =
    [
        Address("203.0.113.9:7000"), Address("203.0.113.9:7001"), Address("203.0.113.10:7000"), Address("[2001:db8::9]:7000"), OwnAddress,
        Address("127.0.0.1:7000"), Address("[::ffff:203.0.113.9]:7000"), Address("203.0.113.11:0"),
    ];

    private static readonly PeerPolicy Policy = new(
        [AddressRange.Parse("203.0.113.0/24"), AddressRange.Parse("2001:db8::/32")], [], new HashSet<TransportAddress> { OwnAddress });

    // Ethernet with its checksum, IPv4 and UDP.
    private const int FrameOverhead = 18 + 20 + 8;

    private const int MaxPermissions = 4;
    private const int MaxChannels = 3;
    private const int MaxPeerConnections = 2;

    private static readonly Drain Elsewhere = new(
        new TurnSettings { Drain = new DrainSettings { AlternateServer = "192.0.2.7,[2001:db8:1::7]:3479" } },
        new AllocationQuotas(new QuotaSettings()), null!, TimeProvider.System, NullLogger<Drain>.Instance);

    private readonly TurnEngine[] _engines;
    private readonly FakePath _path = new();
    private readonly PortReservations _reservations;
    private readonly MobileAllocations _mobile = new(new MobilityTickets(new byte[32]));
    private readonly NonceIssuer _nonces;
    private readonly AllocationQuotas _quotas = new(Quotas);
    private readonly List<FakeRelay> _relays = [];
    private readonly List<CountedLease> _leases = [];
    private readonly List<Allocation> _live = [];
    private readonly List<PendingAllocation> _held = [];
    private readonly HashSet<PendingAllocation> _abandoned = new(ReferenceEqualityComparer.Instance);

    /// <summary>Of every allocation that there has been.</summary>
    private readonly Dictionary<Allocation, Book> _books = new(ReferenceEqualityComparer.Instance);
    private readonly List<(byte[] Ticket, Allocation Allocation)> _tickets = [];
    private readonly byte[] _reply = new byte[TurnEngine.ReplyBufferLength];
    private readonly byte[] _packet = new byte[4096];
    private readonly Random _random = new(1);
    private byte[] _last = [];
    private EngineTime _time = new(1_000_000, EngineCredentials.Start);
    private bool _holdsDecisions;
    private bool _isDraining;
    private ulong _nextReservation;

    public EngineWorld()
    {
        _nonces = new NonceIssuer(new byte[32], EngineCredentials.Settings.Features(tokens: true), _random);
        _reservations = new PortReservations(() => ++_nextReservation);
        _unbound = new UnboundConnections(() => ++_nextConnection);
        var authenticator = new RequestAuthenticator(EngineCredentials.Settings, EngineCredentials.Keys, _nonces);
        var settings = new EngineSettings
        {
            RelaysIPv6 = true,
            TcpRelays = true,
            MaxPermissions = MaxPermissions,
            MaxChannels = MaxChannels,
            MaxPeerConnections = MaxPeerConnections,
            ChallengesPerSecond = 2,
        };
        _engines =
            [.. Enumerable.Range(0, 2).Select(number =>
                new TurnEngine(settings, authenticator, Policy, _reservations, _unbound, _random, _mobile, number))];
    }

    public void Dispose() => _nonces.Dispose();

    private static QuotaSettings Quotas => new() { Total = 4, PerClientAddress = 3, PerToken = 2 };

    public void FromPeer(byte index, byte peerIndex, ushort length)
    {
        if (Live(index) is not { } allocation) return;
        var peer = Peers[peerIndex % Peers.Length];
        length = Math.Min(length, (ushort)65507);
        var buffer = new byte[TurnEngine.Headroom + length + TurnEngine.Tailroom];
        buffer.AsSpan(TurnEngine.Headroom, length).Fill(0xAB);
        var outcome = EngineOf(allocation).HandlePeer(allocation, peer, buffer, _time);
        TidyUp();
        if (outcome.Kind == OutcomeKind.Drop) return;

        Check(outcome.Kind == OutcomeKind.ToClient, "a peer's datagram goes to the client or nowhere");
        Check(IsPermitted(allocation, peer.Address), "nothing comes from a peer without a permission");
        CheckToClient(allocation, peer, buffer.AsSpan(outcome.Offset, outcome.Length), length);
    }

    public void Icmp(byte index, byte peerIndex, byte type, byte code)
    {
        if (Live(index) is not { } allocation) return;
        var peer = Peers[peerIndex % Peers.Length];
        var outcome = EngineOf(allocation).HandleIcmp(allocation, peer, new IcmpError(type, code, 1400), _time, _reply);
        TidyUp();
        if (outcome.Kind != OutcomeKind.ToClient) return;
        Check(IsPermitted(allocation, peer.Address), "nothing is said about a peer without a permission");
        Check(StunMessageReader.TryRead(_reply.AsSpan(outcome.Offset, outcome.Length), out var message) == StunParseStatus.Ok,
            "an indication can be read");
        Check(message is { Method: StunMethod.Data, Class: StunClass.Indication }, "it is a Data indication");
    }

    /// <summary>Time goes on, and the engines' host sweeps.</summary>
    public void Advance(ushort seconds)
    {
        Wait(seconds * 1000L);
        foreach (var engine in _engines) engine.Sweep(_time);
        TidyUp();
        foreach (var allocation in _live) Check(_time.Milliseconds < allocation.ExpiresAt, "nothing outlives its time");
        Check(_offers.TrueForAll(offer => _time.Milliseconds < offer.Until || _unbound.Find(offer.Id) is null),
            "no connection waits longer than it may");
    }

    /// <summary>Time goes on between two sweeps.</summary>
    public void Wait(long milliseconds) =>
        _time = new EngineTime(_time.Milliseconds + milliseconds, _time.Utc.AddMilliseconds(milliseconds));

    /// <summary>A stream ends, or a DTLS session.</summary>
    public void CloseStream(byte flow)
    {
        var closed = FlowOf(flow);
        if (closed.Transport == ClientTransport.Udp) return;
        EndData(closed);
        CloseAtEngines(closed);
        _abandoned.UnionWith(_held.Where(pending => pending.FiveTuple == closed));
        Check(!_live.Exists(allocation => allocation.FiveTuple == closed && allocation.Mobility is null),
            "an allocation ends with its stream");
        Check(!_live.Exists(allocation => allocation.FiveTuple == closed && allocation.Path != ClientPath.Closed),
            "a mobile one is not at a stream that has ended");
        Check(!_live.Exists(allocation => allocation.Mobility?.Next?.FiveTuple == closed), "nor on its way to one");
    }

    /// <summary>The server takes no new clients, or does again.</summary>
    public void Drain(bool isDraining) => _isDraining = isDraining;

    /// <summary>
    /// A renewal has turned out to be revoked, or an operator ends an allocation: it may have ended meanwhile, and another one may be where
    /// it was.
    /// </summary>
    public void Revoke(byte index)
    {
        if (_books.Count == 0) return;
        var allocation = _books.Keys.ElementAt(index % _books.Count);
        EngineOf(allocation).End(allocation, AllocationEnd.Revoked);
        TidyUp();
        Check(!_live.Contains(allocation), "what is revoked ends");
    }

    public void HoldDecisions(bool hold) => _holdsDecisions = hold;

    /// <summary>Decides an Allocate that was held.</summary>
    public void Decide(byte index, byte refusal)
    {
        if (_held.Count == 0) return;
        index = (byte)(index % _held.Count);
        var pending = _held[index];
        _held.RemoveAt(index);
        Complete(pending, (refusal & 7) == 1 ? StunError.InsufficientCapacity : StunError.None);
    }

    /// <summary>Every open relay is an allocation's or reserved, and every lease taken is an allocation's.</summary>
    public void CheckWhatIsHeld()
    {
        var reservedByHeld = _held.Count(pending => pending.Reserved is not null);
        var held = _live.Sum(allocation =>
            (allocation.IPv4 is null ? 0 : 1) + (allocation.IPv6 is null ? 0 : 1)) + _reservations.Count + reservedByHeld;
        Check(_relays.Count(relay => relay.Closed == 0) == held, "ports in use are the live relays");
        Check(_relays.TrueForAll(relay => relay.Closed <= 1), "no relay is closed twice");
        Check(_leases.Count(lease => lease.Returned == 0) == _live.Count, "quota in use is that of the live allocations");
        Check(_leases.TrueForAll(lease => lease.Returned <= 1), "no quota is returned twice");
        Check(_engines.Sum(engine => engine.AllocationCount) == _live.Count, "no allocation ends unnoticed");
        foreach (var allocation in _live)
        {
            Check(allocation.IPv4 is null or { Bound.Address.Family: StunAddressFamily.IPv4 }, "the IPv4 relay is one");
            Check(allocation.IPv6 is null or { Bound.Address.Family: StunAddressFamily.IPv6 }, "the IPv6 relay is one");
            Check(allocation.IPv4 is not null || allocation.IPv6 is not null, "an allocation has a relay");
            Check(allocation.PermissionCount <= MaxPermissions
                && allocation.ChannelCount <= MaxChannels, "permissions and channels are bounded");
        }

        CheckWays();
        CheckConnections();
    }

    /// <summary>Ends everything; all that was taken must be back.</summary>
    public void End()
    {
        foreach (var engine in _engines) engine.EndAll();
        TidyUp();
        foreach (var connection in _connecting) Complete(connection, succeeds: true);
        foreach (var pending in _held)
        {
            _abandoned.Add(pending);
            Complete(pending, StunError.None);
        }

        _held.Clear();
        CheckWhatIsHeld();
        Check(_bound.Count == 0, "no stream is left to its peer");
        Check(_live.Count == 0 && _relays.TrueForAll(relay => relay.Closed == 1), "every relay is closed once in the end");
        Check(_leases.TrueForAll(lease => lease.Returned == 1), "every quota is returned once in the end");
        for (var i = 0; i < Quotas.PerClientAddress; i++)
            Check(_quotas.TryTake(new AllocationClaim(Flows[0].Client.Address, "a user")) is not null, "the quotas are empty in the end");
    }

    private void Receive(ReadOnlySpan<byte> octets, in FiveTuple flow)
    {
        // From its ConnectionBind on a stream carries no messages.
        if (_bound.ContainsKey(flow)) return;
        var packet = octets.ToArray();
        _last = packet;
        var outcome = Handle(packet, flow);
        if (outcome.Kind == OutcomeKind.Renew)
        {
            outcome = EngineOf(outcome.Allocation!).CompleteRenewal(outcome.Renewal!, StunError.None, _time, _reply);
            TidyUp();
        }

        switch (outcome.Kind)
        {
            case OutcomeKind.Reply:
                CheckReply(packet, flow, outcome);
                break;
            case OutcomeKind.ToPeer:
                CheckToPeer(packet, flow, outcome);
                break;
            case OutcomeKind.Decide when _holdsDecisions:
                _held.Add(outcome.Pending!);
                break;
            case OutcomeKind.Decide:
                Complete(outcome.Pending!, StunError.None);
                break;
            case OutcomeKind.Connect:
                CheckConnect(flow, outcome.Connection!);
                break;
            case OutcomeKind.Bind:
                CheckBind(packet, flow, outcome);
                break;
            default:
                Check(outcome.Kind == OutcomeKind.Drop, "a client's packet is never sent to a client");
                break;
        }
    }

    private Outcome Handle(ReadOnlySpan<byte> packet, in FiveTuple flow)
    {
        var number = NumberAt(flow);
        var outcome = _engines[number].HandleClient(packet, flow, _path, _time, _reply);
        TidyUp();
        if (outcome.Kind != OutcomeKind.HandOver) return outcome;
        Check(outcome.Engine != number, "no engine hands over to itself");
        outcome = _engines[outcome.Engine].HandleClient(packet, flow, _path, _time, _reply);
        TidyUp();
        Check(outcome.Kind is not (OutcomeKind.HandOver or OutcomeKind.Decide or OutcomeKind.Bind),
            "what is handed over stays there, and makes nothing new");
        return outcome;
    }

    /// <summary>What the host does with an Allocate: drain, quotas, sockets, then the engine again.</summary>
    private void Complete(PendingAllocation pending, StunError refusal)
    {
        var decision = refusal != StunError.None ? new AllocationDecision(refusal)
            : _isDraining ? new AllocationDecision(StunError.TryAlternate) { AlternateServer = Elsewhere.AlternateFor(pending.FiveTuple) }
            : TryLease(pending) is { } lease ? Bind(pending, lease)
            : new AllocationDecision(StunError.AllocationQuotaReached);
        var number = NumberAt(pending.FiveTuple);
        var outcome = _engines[number].Complete(pending, decision, _time, _reply);
        if (outcome.Allocation is { } allocation)
        {
            Check(!_abandoned.Contains(pending), "an Allocate whose stream has closed makes no allocation");
            Check(decision.Error == StunError.None, "what is refused makes no allocation");
            _books.Add(allocation, new Book(number, pending.FiveTuple));
            _live.Add(allocation);
        }

        if (outcome.Kind == OutcomeKind.Reply) CheckDecision(pending, decision, outcome);
        else (decision.Lease as CountedLease)?.Dispose();
        TidyUp();
    }

    private void CheckDecision(PendingAllocation pending, in AllocationDecision decision, in Outcome outcome)
    {
        var reply = Read(_reply.AsSpan(0, outcome.Length));
        Check(reply.TransactionId == pending.TransactionId, "the answer is the request's");
        Check(reply.HasMessageIntegrity || reply.HasMessageIntegritySha256, "the answer is signed");
        Check((reply.Class == StunClass.ErrorResponse ? reply.ErrorCode : StunError.None) == decision.Error,
            "the answer is what was decided");
        var hasAlternate = reply.TryGet(StunAttributeType.AlternateServer, out var alternate);
        Check(hasAlternate == (decision.Error == StunError.TryAlternate), "who is sent elsewhere is told where");
        if (hasAlternate) Check(alternate[1] == (byte)pending.FiveTuple.Client.Address.Family, "and that is of the family that he came by");
        if (outcome.Allocation is { } allocation) KeepTicket(reply, allocation);
    }

    private CountedLease? TryLease(PendingAllocation pending)
    {
        var credential = pending.Proof.Credential;
        var claim = new AllocationClaim(
            pending.FiveTuple.Client.Address, credential.User, credential.Token, _time.Utc, _time.Utc.AddDays(1));
        if (_quotas.TryTake(claim) is not { } taken) return null;
        var lease = new CountedLease(taken);
        _leases.Add(lease);
        return lease;
    }

    private AllocationDecision Bind(PendingAllocation pending, CountedLease lease)
    {
        if (pending.Reserved is { } reserved) return AllocationDecision.Of(reserved) with { Lease = lease };
        var (wanted, next) = (pending.Relays, (Relay?)null);
        if (wanted.ReserveNext) next = NewRelay(wanted.IPv4 ? "192.0.2.1" : "2001:db8::1");
        return new AllocationDecision(
            StunError.None, wanted.IPv4 ? NewRelay("192.0.2.1") : null, wanted.IPv6 ? NewRelay("2001:db8::1") : null, next, lease);
    }

    private FakeRelay NewRelay(string address)
    {
        var relay = new FakeRelay(new TransportAddress(InternetAddress.Parse(address), (ushort)(50000 + _relays.Count)));
        _relays.Add(relay);
        return relay;
    }

    private void TidyUp()
    {
        foreach (var engine in _engines)
        {
            foreach (var relay in engine.RelaysToClose) relay.Dispose();
            engine.RelaysToClose.Clear();
            foreach (var stream in engine.PeerTransportsToClose) stream.Dispose();
            engine.PeerTransportsToClose.Clear();
            foreach (var allocation in engine.Ended)
            {
                Check(_live.Remove(allocation), "an allocation ends once");
                ((IDisposable)allocation.Lease!).Dispose();
            }

            engine.Ended.Clear();
        }

        EndDataOfClosedStreams();
    }

    private void CloseAtEngines(in FiveTuple flow)
    {
        var number = NumberAt(flow);
        _engines[number].StreamClosed(flow);
        if (_engines[number].EngineElsewhere(flow) is { } other) _engines[other].StreamClosed(flow);
        TidyUp();
    }

    private void CheckReply(ReadOnlySpan<byte> packet, in FiveTuple flow, in Outcome outcome)
    {
        Check(outcome.Length <= _reply.Length, "the answer lies within its buffer");
        var reply = Read(_reply.AsSpan(0, outcome.Length));
        var request = Read(packet);
        Check(request.Class == StunClass.Request, "only requests are answered");
        Check(reply.Class is StunClass.SuccessResponse or StunClass.ErrorResponse
            && reply.Method == request.Method, "the answer is of the request's method");
        Check(reply.TransactionId == request.TransactionId, "the answer is the request's");
        if (!flow.IsStream && !request.HasMessageIntegrity && !request.HasMessageIntegritySha256)
            Check(FrameOverhead + reply.Octets.Length <= 3 * (FrameOverhead + packet.Length),
                "an answer to a stranger is at most three times as long on the wire");
        Check(reply.FingerprintIsAbsentOrRight
            && reply.HasFingerprint == request.HasFingerprint, "FINGERPRINT is answered with FINGERPRINT");
        if (reply.Class == StunClass.ErrorResponse || request.Method == StunMethod.Binding) return;

        Check(request.HasMessageIntegrity || request.HasMessageIntegritySha256, "nothing but Binding succeeds without integrity");
        Check(reply.HasMessageIntegrity || reply.HasMessageIntegritySha256, "a success is signed");
        if (request.Method == StunMethod.Refresh && request.TryGet(StunAttributeType.MobilityTicket, out var ticket))
            CheckMove(reply, ticket, flow, outcome);
        else if (request.Method == StunMethod.Refresh) KeepTicket(reply, outcome.Allocation!);
        else if (request.Method is StunMethod.CreatePermission or StunMethod.ChannelBind) Permit(request, flow, outcome.Allocation!);
    }

    private void Permit(in StunMessageReader request, in FiveTuple flow, Allocation allocation)
    {
        Check(IsWayOf(allocation, flow), "it is the client's own, live allocation");
        var until = _time.After(Permission.Lifetime);
        foreach (var attribute in request)
        {
            if (attribute.Type != StunAttributeType.XorPeerAddress || !request.TryDecodeXorAddress(attribute.Value, out var peer)) continue;
            _books[allocation].Permitted[peer.Address] = until;
            if (request.Method == StunMethod.ChannelBind) break;
        }
    }

    /// <summary>A Refresh with a ticket has succeeded: its client has moved, or has ended what it had.</summary>
    private void CheckMove(in StunMessageReader reply, ReadOnlySpan<byte> ticket, in FiveTuple flow, in Outcome outcome)
    {
        Allocation? owner = null;
        foreach (var (given, allocation) in _tickets)
        {
            if (ticket.SequenceEqual(given)) owner = allocation;
        }

        Check(owner is not null, "a ticket that moves was given out");
        Check(reply.TryGetUInt32(StunAttributeType.Lifetime, out var lifetime), "a Refresh tells its lifetime");
        if (lifetime == 0) return;
        Check(_live.Contains(owner!), "what moves lives");
        var mobility = owner!.Mobility!;
        Check(flow == (mobility.Next ?? owner.Client).FiveTuple
            && owner.Path != ClientPath.Closed, "a client that has moved is there, and can be reached");
        var book = _books[owner];
        Check(mobility.Moves == book.Moves || outcome.Allocation == owner, "who moves is told to the host: the token may be another one");
        book.Moves = mobility.Moves;
        book.Ways.Add(flow);
        KeepTicket(reply, owner);
    }

    private void KeepTicket(in StunMessageReader reply, Allocation allocation)
    {
        reply.TryGetUInt32(StunAttributeType.Lifetime, out var lifetime);
        var hasTicket = reply.TryGet(StunAttributeType.MobilityTicket, out var ticket);
        Check(hasTicket == (allocation.Mobility is not null && lifetime > 0), "who may move has a ticket, and nobody else");
        if (hasTicket) _tickets.Add((ticket.ToArray(), allocation));
    }

    private void CheckToPeer(ReadOnlySpan<byte> packet, in FiveTuple flow, in Outcome outcome)
    {
        Check(outcome.Offset >= 0 && outcome.Length >= 0
            && outcome.Offset + outcome.Length <= packet.Length, "what is sent lies within the packet");
        Check(IsWayOf(outcome.Allocation!, flow) && outcome.Allocation!.FiveTuple == flow, "it is the client's own, live allocation");
        Check(IsPermitted(outcome.Allocation!, outcome.Peer.Address), "nothing is relayed without a permission");
        Check(outcome.Relay!.Bound.Address.Family == outcome.Peer.Address.Family, "the relay is of the peer's family");
        Check(outcome.Peer.Port != 0 && outcome.Peer != OwnAddress && Policy.Allows(outcome.Peer.Address), "the peer may be relayed to");
    }

    private static void CheckToClient(Allocation allocation, in TransportAddress peer, ReadOnlySpan<byte> message, int length)
    {
        if (allocation.FiveTuple.IsStream)
            Check(StreamFraming.FrameLength(message) == message.Length, "a message in a stream is as long as it says");
        ReadOnlySpan<byte> payload;
        if (Stun.Framing.ChannelData.IsChannelData(message[0]))
        {
            Check(Stun.Framing.ChannelData.TryRead(message, out var channel, out payload), "ChannelData can be read");
            Check(allocation.Channel(channel)?.Peer == peer, "the channel is the peer's");
        }
        else
        {
            var indication = Read(message);
            Check(indication.TryGetXorAddress(StunAttributeType.XorPeerAddress, out var from)
                && from == peer, "the indication names the peer");
            Check(indication.TryGet(StunAttributeType.Data, out payload), "the indication has data");
        }

        Check(payload.Length == length && payload.IndexOfAnyExcept((byte)0xAB) < 0, "the payload is the peer's");
    }

    /// <summary>A 5-tuple has one allocation, whichever engine has it, and the engines' common table knows those that have moved.</summary>
    private void CheckWays()
    {
        var ways = _live.SelectMany(allocation =>
            allocation.Mobility?.Next is { } next ? [allocation.FiveTuple, next.FiveTuple] : (FiveTuple[])[allocation.FiveTuple]).ToList();
        Check(ways.Distinct().Count() == ways.Count, "a 5-tuple has one allocation");
        var mobile = _live.Where(allocation => allocation.Mobility is not null).ToList();
        Check(_mobile.Count == mobile.Count, "mobile allocations are those that live");
        Check(_mobile.FlowCount <= mobile.Sum(allocation => allocation.Mobility!.Next is null ? 1 : 2), "nothing is left of a way");
        foreach (var allocation in mobile)
        {
            var book = _books[allocation];
            Check(allocation.FiveTuple == book.Origin || _mobile.EngineOf(allocation.FiveTuple) == book.Engine, "who has moved is found");
            Check(allocation.Mobility!.Next is not { } next
                || _mobile.EngineOf(next.FiveTuple) == book.Engine, "who is about to move is found");
        }
    }

    private bool IsPermitted(Allocation allocation, InternetAddress peer) =>
        _books[allocation].Permitted.TryGetValue(peer, out var until) && _time.Milliseconds < until;

    /// <summary>Whether a live allocation's client is there now, and has proved it.</summary>
    private bool IsWayOf(Allocation allocation, in FiveTuple flow) =>
        _live.Contains(allocation) && IsAt(allocation, flow) && _books[allocation].Ways.Contains(flow);

    private static bool IsAt(Allocation allocation, in FiveTuple flow) =>
        allocation.FiveTuple == flow || allocation.Mobility?.Next?.FiveTuple == flow;

    private TurnEngine EngineOf(Allocation allocation) => _engines[_books[allocation].Engine];

    private static FiveTuple FlowOf(byte index) => Flows[index % Flows.Length];

    private static int NumberAt(in FiveTuple flow) => Array.IndexOf(Flows, flow) < Flows.Length / 2 ? 0 : 1;

    private Allocation? Live(byte index) => _live.Count == 0 ? null : _live[index % _live.Count];

    private static StunMessageReader Read(ReadOnlySpan<byte> octets)
    {
        Check(StunMessageReader.TryRead(octets, out var message) == StunParseStatus.Ok, "a message is well-formed");
        return message;
    }

    private static void Check(bool holds, string what) => FindingException.ThrowUnless(holds, what);

    private static FiveTuple Flow(ClientTransport transport, string client, string server) =>
        new(transport, Address(client), Address(server));

    private static TransportAddress Address(string endpoint) => TransportAddress.From(IPEndPoint.Parse(endpoint));

    /// <summary>What is known about an allocation beside what the engine says.</summary>
    private sealed class Book(int engine, FiveTuple origin)
    {
        public int Engine { get; } = engine;

        public FiveTuple Origin { get; } = origin;

        public uint Moves { get; set; }

        /// <summary>Where its client has shown its credential from: with the Allocate, or with a ticket.</summary>
        public HashSet<FiveTuple> Ways { get; } = [origin];

        public Dictionary<InternetAddress, long> Permitted { get; } = [];
    }
}
