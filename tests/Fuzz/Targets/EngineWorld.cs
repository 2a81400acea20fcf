using System.Net;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn;
using WebRtcIms.Turn.Authorization;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Fuzz.Targets;

/// <summary>
/// The engine with clients, peers, a clock and a host that does what <c>TurnServer</c> does, and beside it a second book of what is
/// permitted and held. Where the two differ, a <see cref="FindingException"/> is thrown.
/// </summary>
internal sealed class EngineWorld
{
    private static readonly FiveTuple[] Flows =
    [
        Flow(ClientTransport.Udp, "198.51.100.7:40000", "192.0.2.1:3478"),
        Flow(ClientTransport.Udp, "198.51.100.7:40001", "192.0.2.1:3478"),
        Flow(ClientTransport.Tcp, "198.51.100.8:40002", "192.0.2.1:3478"),
        Flow(ClientTransport.Tls, "[2001:db8:1::7]:40003", "[2001:db8:1::1]:5349"),
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

    private readonly TurnEngine _engine;
    private readonly PortReservations _reservations;
    private readonly NonceIssuer _nonces;
    private readonly AllocationQuotas _quotas = new(Quotas);
    private readonly List<CountedRelay> _relays = [];
    private readonly List<CountedLease> _leases = [];
    private readonly List<Allocation> _live = [];
    private readonly List<PendingAllocation> _held = [];
    private readonly HashSet<PendingAllocation> _abandoned = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<(FiveTuple Flow, InternetAddress Peer), long> _permitted = [];
    private readonly byte[] _reply = new byte[TurnEngine.ReplyBufferLength];
    private readonly byte[] _packet = new byte[4096];
    private readonly Random _random = new(1);
    private byte[] _last = [];
    private EngineTime _time = new(1_000_000, ClientCredential.Start);
    private bool _holdsDecisions;
    private ulong _nextReservation;

    public EngineWorld()
    {
        _nonces = new NonceIssuer(new byte[32], ClientCredential.Settings.Features(tokens: true), _random);
        _reservations = new PortReservations(() => ++_nextReservation);
        _engine = new TurnEngine(
            new EngineSettings { RelaysIPv6 = true, MaxPermissions = 4, MaxChannels = 3, ChallengesPerSecond = 2 },
            new RequestAuthenticator(ClientCredential.Settings, ClientCredential.Keys, _nonces),
            Policy,
            _reservations,
            new UnboundConnections(),
            _random);
    }

    private static QuotaSettings Quotas => new() { Total = 4, PerClientAddress = 3, PerToken = 2 };

    /// <summary>Octets as they are.</summary>
    public void Raw(byte flow, ReadOnlySpan<byte> packet) => Receive(packet, Flows[flow % Flows.Length]);

    /// <summary>The packet before, once more, also from another client.</summary>
    public void Again(byte flow) => Receive(_last, Flows[flow % Flows.Length]);

    /// <summary>A plain Allocate that succeeds if it may.</summary>
    public void Allocate(byte flow, byte credential) => Receive(Sign(flow, StunMethod.Allocate, credential, [], default), Flows[flow % Flows.Length]);

    /// <summary>A request with any attributes and right credentials; bits of its method choose what follows them.</summary>
    public void Signed(byte flow, byte method, ref Script script)
    {
        var credential = script.Byte();
        var attributes = ReadAttributes(ref script);
        Receive(Sign(flow, MethodOf(method), credential, attributes, method), Flows[flow % Flows.Length]);
    }

    public void Indication(byte flow, ref Script script)
    {
        var attributes = ReadAttributes(ref script);
        var writer = new StunMessageWriter(_packet, StunMethod.Send, StunClass.Indication, new TransactionId(new byte[12]));
        WriteAttributes(ref writer, attributes);
        Receive(writer.Written, Flows[flow % Flows.Length]);
    }

    public void ChannelData(byte flow, ushort channel, ushort length, byte sent)
    {
        var packet = new byte[WebRtcIms.Stun.Framing.ChannelData.HeaderLength + sent];
        WebRtcIms.Stun.Framing.ChannelData.WriteHeader(packet, channel, length);
        Receive(packet, Flows[flow % Flows.Length]);
    }

    public void FromPeer(byte index, byte peerIndex, ushort length)
    {
        if (Live(index) is not { } allocation) return;
        var peer = Peers[peerIndex % Peers.Length];
        length = Math.Min(length, (ushort)65507);
        var buffer = new byte[TurnEngine.Headroom + length + TurnEngine.Tailroom];
        buffer.AsSpan(TurnEngine.Headroom, length).Fill(0xAB);
        var outcome = _engine.HandlePeer(allocation, peer, buffer, _time);
        TidyUp();
        if (outcome.Kind == OutcomeKind.Drop) return;

        Check(outcome.Kind == OutcomeKind.ToClient, "a peer's datagram goes to the client or nowhere");
        Check(IsPermitted(allocation.FiveTuple, peer.Address), "nothing comes from a peer without a permission");
        CheckToClient(allocation, peer, buffer.AsSpan(outcome.Offset, outcome.Length), length);
    }

    public void Icmp(byte index, byte peerIndex, byte type, byte code)
    {
        if (Live(index) is not { } allocation) return;
        var peer = Peers[peerIndex % Peers.Length];
        var outcome = _engine.HandleIcmp(allocation, peer, new IcmpError(type, code, 1400), _time, _reply);
        TidyUp();
        if (outcome.Kind != OutcomeKind.ToClient) return;
        Check(IsPermitted(allocation.FiveTuple, peer.Address), "nothing is said about a peer without a permission");
        Check(StunMessageReader.TryRead(_reply.AsSpan(outcome.Offset, outcome.Length), out var message) == StunParseStatus.Ok, "an indication can be read");
        Check(message is { Method: StunMethod.Data, Class: StunClass.Indication }, "it is a Data indication");
    }

    public void Advance(ushort seconds)
    {
        _time = new EngineTime(_time.Milliseconds + (seconds * 1000L), _time.Utc.AddSeconds(seconds));
        _engine.Sweep(_time);
        TidyUp();
        foreach (var allocation in _live) Check(_time.Milliseconds < allocation.ExpiresAt, "nothing outlives its time");
    }

    public void CloseStream(byte flow)
    {
        var closed = Flows[flow % Flows.Length];
        if (!closed.IsStream) return;
        _engine.StreamClosed(closed);
        _abandoned.UnionWith(_held.Where(pending => pending.FiveTuple == closed));
        TidyUp();
        Check(!_live.Exists(allocation => allocation.FiveTuple == closed), "an allocation ends with its stream");
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
        var held = _live.Sum(allocation => (allocation.IPv4 is null ? 0 : 1) + (allocation.IPv6 is null ? 0 : 1)) + _reservations.Count + reservedByHeld;
        Check(_relays.Count(relay => relay.Closed == 0) == held, "ports in use are the live relays");
        Check(_relays.TrueForAll(relay => relay.Closed <= 1), "no relay is closed twice");
        Check(_leases.Count(lease => lease.Returned == 0) == _live.Count, "quota in use is that of the live allocations");
        Check(_leases.TrueForAll(lease => lease.Returned <= 1), "no quota is returned twice");
        Check(_engine.AllocationCount == _live.Count, "no allocation ends unnoticed");
        foreach (var allocation in _live)
        {
            Check(allocation.IPv4 is null or { Bound.Address.Family: StunAddressFamily.IPv4 }, "the IPv4 relay is one");
            Check(allocation.IPv6 is null or { Bound.Address.Family: StunAddressFamily.IPv6 }, "the IPv6 relay is one");
            Check(allocation.IPv4 is not null || allocation.IPv6 is not null, "an allocation has a relay");
            Check(allocation.PermissionCount <= 4 && allocation.ChannelCount <= 3, "permissions and channels are bounded");
        }
    }

    /// <summary>Ends everything; all that was taken must be back.</summary>
    public void End()
    {
        _engine.EndAll();
        TidyUp();
        foreach (var pending in _held)
        {
            _abandoned.Add(pending);
            Complete(pending, StunError.None);
        }

        _held.Clear();
        CheckWhatIsHeld();
        Check(_live.Count == 0 && _relays.TrueForAll(relay => relay.Closed == 1), "every relay is closed once in the end");
        Check(_leases.TrueForAll(lease => lease.Returned == 1), "every quota is returned once in the end");
        for (var i = 0; i < Quotas.PerClientAddress; i++)
            Check(_quotas.TryTake(Flows[0].Client.Address, null) is not null, "the quotas are empty in the end");
    }

    private void Receive(ReadOnlySpan<byte> octets, in FiveTuple flow)
    {
        var packet = octets.ToArray();
        _last = packet;
        var outcome = _engine.HandleClient(packet, flow, NoPath.Instance, _time, _reply);
        TidyUp();
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
            default:
                Check(outcome.Kind == OutcomeKind.Drop, "a client's packet is never sent to a client");
                break;
        }
    }

    /// <summary>What the host does with an Allocate: quotas, sockets, then the engine again.</summary>
    private void Complete(PendingAllocation pending, StunError refusal)
    {
        var lease = refusal == StunError.None ? TakeLease(pending) : null;
        var decision = refusal != StunError.None ? new AllocationDecision(refusal)
            : lease is null ? new AllocationDecision(StunError.AllocationQuotaReached)
            : Bind(pending, lease);
        var outcome = _engine.Complete(pending, decision, _time, _reply);
        if (outcome.Allocation is { } allocation)
        {
            Check(!_abandoned.Contains(pending), "an Allocate whose stream has closed makes no allocation");
            foreach (var (flow, peer) in _permitted.Keys.Where(key => key.Flow == pending.FiveTuple).ToList()) _permitted.Remove((flow, peer));
            _live.Add(allocation);
        }

        if (outcome.Kind == OutcomeKind.Reply) Check(Read(_reply.AsSpan(0, outcome.Length)).TransactionId == pending.TransactionId, "the answer is the request's");
        else lease?.Dispose();
        TidyUp();
    }

    private CountedLease? TakeLease(PendingAllocation pending)
    {
        if (_quotas.TryTake(pending.FiveTuple.Client.Address, pending.Proof.Credential.Token) is not { } taken) return null;
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

    private CountedRelay NewRelay(string address)
    {
        var relay = new CountedRelay(new TransportAddress(InternetAddress.Parse(address), (ushort)(50000 + _relays.Count)));
        _relays.Add(relay);
        return relay;
    }

    private void TidyUp()
    {
        foreach (var relay in _engine.RelaysToClose) relay.Dispose();
        _engine.RelaysToClose.Clear();
        foreach (var allocation in _engine.Ended)
        {
            Check(_live.Remove(allocation), "an allocation ends once");
            ((IDisposable)allocation.Lease!).Dispose();
        }

        _engine.Ended.Clear();
    }

    private void CheckReply(ReadOnlySpan<byte> packet, in FiveTuple flow, in Outcome outcome)
    {
        Check(outcome.Length <= _reply.Length, "the answer lies within its buffer");
        var reply = Read(_reply.AsSpan(0, outcome.Length));
        var request = Read(packet);
        Check(request.Class == StunClass.Request, "only requests are answered");
        Check(reply.Class is StunClass.SuccessResponse or StunClass.ErrorResponse && reply.Method == request.Method, "the answer is of the request's method");
        Check(reply.TransactionId == request.TransactionId, "the answer is the request's");
        if (!flow.IsStream && !request.HasMessageIntegrity && !request.HasMessageIntegritySha256)
            Check(FrameOverhead + reply.Octets.Length <= 3 * (FrameOverhead + packet.Length), "an answer to a stranger is at most three times as long on the wire");
        Check(reply.FingerprintIsAbsentOrRight && reply.HasFingerprint == request.HasFingerprint, "FINGERPRINT is answered with FINGERPRINT");
        if (reply.Class == StunClass.ErrorResponse || request.Method == StunMethod.Binding) return;

        Check(request.HasMessageIntegrity || request.HasMessageIntegritySha256, "nothing but Binding succeeds without integrity");
        Check(reply.HasMessageIntegrity || reply.HasMessageIntegritySha256, "a success is signed");
        var until = _time.After(Permission.Lifetime);
        foreach (var attribute in request)
        {
            if (attribute.Type != StunAttributeType.XorPeerAddress || !request.TryDecodeXorAddress(attribute.Value, out var peer)) continue;
            if (request.Method is not (StunMethod.CreatePermission or StunMethod.ChannelBind)) break;
            _permitted[(flow, peer.Address)] = until;
            if (request.Method == StunMethod.ChannelBind) break;
        }
    }

    private void CheckToPeer(ReadOnlySpan<byte> packet, in FiveTuple flow, in Outcome outcome)
    {
        Check(outcome.Offset >= 0 && outcome.Length >= 0 && outcome.Offset + outcome.Length <= packet.Length, "what is sent lies within the packet");
        Check(_live.Contains(outcome.Allocation!) && outcome.Allocation!.FiveTuple == flow, "it is the client's own, live allocation");
        Check(IsPermitted(flow, outcome.Peer.Address), "nothing is relayed without a permission");
        Check(outcome.Relay!.Bound.Address.Family == outcome.Peer.Address.Family, "the relay is of the peer's family");
        Check(outcome.Peer.Port != 0 && outcome.Peer != OwnAddress && Policy.Allows(outcome.Peer.Address), "the peer may be relayed to");
    }

    private static void CheckToClient(Allocation allocation, in TransportAddress peer, ReadOnlySpan<byte> message, int length)
    {
        if (allocation.FiveTuple.IsStream) Check(StreamFraming.FrameLength(message) == message.Length, "a message in a stream is as long as it says");
        ReadOnlySpan<byte> payload;
        if (WebRtcIms.Stun.Framing.ChannelData.IsChannelData(message[0]))
        {
            Check(WebRtcIms.Stun.Framing.ChannelData.TryRead(message, out var channel, out payload), "ChannelData can be read");
            Check(allocation.Channel(channel)?.Peer == peer, "the channel is the peer's");
        }
        else
        {
            var indication = Read(message);
            Check(indication.TryGetXorAddress(StunAttributeType.XorPeerAddress, out var from) && from == peer, "the indication names the peer");
            Check(indication.TryGet(StunAttributeType.Data, out payload), "the indication has data");
        }

        Check(payload.Length == length && payload.IndexOfAnyExcept((byte)0xAB) < 0, "the payload is the peer's");
    }

    private bool IsPermitted(in FiveTuple flow, InternetAddress peer) => _permitted.TryGetValue((flow, peer), out var until) && _time.Milliseconds < until;

    private Allocation? Live(byte index) => _live.Count == 0 ? null : _live[index % _live.Count];

    private static StunMessageReader Read(ReadOnlySpan<byte> octets)
    {
        Check(StunMessageReader.TryRead(octets, out var message) == StunParseStatus.Ok, "a message is well-formed");
        return message;
    }

    /// <summary>Signs a request; bits of <paramref name="flags"/> add FINGERPRINT, attributes behind the integrity, or a stale nonce.</summary>
    private ReadOnlySpan<byte> Sign(byte flow, StunMethod method, byte credentialIndex, List<(ushort Type, byte[] Value)> attributes, byte flags)
    {
        var credential = ClientCredential.All[credentialIndex % ClientCredential.All.Count];
        var nonce = new byte[NonceIssuer.Length];
        var issued = (flags & 0x80) != 0 ? _time with { Utc = _time.Utc.AddHours(-2) } : _time;
        _nonces.Issue(Flows[flow % Flows.Length], issued, nonce);
        var transaction = new byte[TransactionId.Length];
        _random.NextBytes(transaction);

        var writer = new StunMessageWriter(_packet, method, StunClass.Request, new TransactionId(transaction));
        if (method == StunMethod.Allocate && (flags & 0x40) == 0) writer.Write(StunAttributeType.RequestedTransport, [17, 0, 0, 0]);
        WriteAttributes(ref writer, attributes);
        credential.Sign(ref writer, nonce, withToken: method is StunMethod.Allocate or StunMethod.Refresh);
        if ((flags & 0x20) != 0) WriteAttributes(ref writer, attributes);
        if ((flags & 0x10) != 0) writer.AddFingerprint();
        return writer.Written;
    }

    private static StunMethod MethodOf(byte choice) => (choice & 0x0F) switch
    {
        < 4 => StunMethod.Allocate,
        < 7 => StunMethod.Refresh,
        < 10 => StunMethod.CreatePermission,
        < 14 => StunMethod.ChannelBind,
        14 => StunMethod.Binding,
        _ => (StunMethod)0x0FF,
    };

    /// <summary>Up to 15 attributes: a type, and a peer's address or any value.</summary>
    private static List<(ushort Type, byte[] Value)> ReadAttributes(ref Script script)
    {
        List<(ushort, byte[])> attributes = [];
        for (var count = script.Byte() & 0x0F; count > 0; count--) attributes.Add((script.UInt16(), script.Take(script.Byte()).ToArray()));
        return attributes;
    }

    private static void WriteAttributes(ref StunMessageWriter writer, List<(ushort Type, byte[] Value)> attributes)
    {
        foreach (var (type, value) in attributes)
        {
            if (writer.Length > 2500) return;
            if (type == (ushort)StunAttributeType.XorPeerAddress && value.Length == 1)
                writer.WriteXorAddress(StunAttributeType.XorPeerAddress, Peers[value[0] % Peers.Length]);
            else
                writer.Write((StunAttributeType)type, value);
        }
    }

    private static void Check(bool holds, string what) => FindingException.ThrowUnless(holds, what);

    private static FiveTuple Flow(ClientTransport transport, string client, string server) => new(transport, Address(client), Address(server));

    private static TransportAddress Address(string endpoint) => TransportAddress.From(IPEndPoint.Parse(endpoint));

    private sealed class CountedRelay(TransportAddress address) : Relay(address, address)
    {
        public int Closed { get; private set; }

        public override void Send(in TransportAddress peer, ReadOnlySpan<byte> payload)
        {
        }

        public override void SendUnfragmented(in TransportAddress peer, ReadOnlySpan<byte> payload)
        {
        }

        public override void Dispose() => Closed++;
    }

    private sealed class CountedLease(IDisposable lease) : IDisposable
    {
        public int Returned { get; private set; }

        public void Dispose()
        {
            Returned++;
            lease.Dispose();
        }
    }

    private sealed class NoPath : ClientPath
    {
        public static readonly NoPath Instance = new();

        public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
        {
        }
    }
}
