using System.Net;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Tests.Engine;

/// <summary>The engine with a clock that the test moves, relays that are no sockets, and an admission that says yes.</summary>
internal sealed class EngineBench
{
    public const string ServerName = "turn.example.org";
    public const string Realm = "example.org";

    /// <summary>Something that no client may be relayed to although its range is allowed.</summary>
    public static readonly TransportAddress OwnAddress = TransportAddress.From(IPEndPoint.Parse("203.0.113.1:6379"));

    /// <summary>Another of the server's listeners, on the port of the one that the clients of this bench use.</summary>
    private static readonly TransportAddress OwnListener = TransportAddress.From(IPEndPoint.Parse("203.0.113.1:3478"));

    private readonly AccessTokenKey[] _keys =
    [
        new("k1", AccessTokenAlgorithm.A256Gcm, RandomNumberGenerator.GetBytes(32)),
        new("k2", AccessTokenAlgorithm.A128Gcm, RandomNumberGenerator.GetBytes(16)),
    ];

    private readonly HashSet<Allocation> _live = [];
    private ushort _nextClientPort = 40000;

    public EngineBench(
        EngineSettings? settings = null, bool tokens = true, bool browserProfile = true, bool staticUsers = true, Random? random = null,
        string? sharedSecret = null, MobileAllocations? mobile = null, int number = 0)
    {
        random ??= new Random(1);
        var users = staticUsers
            ? new[] { Credential.FromStaticUser("alice", "secret", Realm), Credential.FromStaticUser("bob", "secret", Realm) } : [];
        var ring = new AccessTokenKeyRing(tokens ? _keys : []);
        var authentication = new AuthenticationSettings(
            ServerName, Realm, browserProfile, users, sharedSecret is null ? null : Encoding.UTF8.GetBytes(sharedSecret));
        Nonces = new NonceIssuer(new byte[32], authentication.Features(tokens), random);
        Authenticator = new RequestAuthenticator(authentication, ring, Nonces);
        Engine = new TurnEngine(
            settings ?? new EngineSettings { RelaysIPv6 = true },
            Authenticator,
            new PeerPolicy(
                [AddressRange.Parse("203.0.113.0/24"), AddressRange.Parse("2001:db8::/32")], [],
                new HashSet<TransportAddress> { OwnAddress, OwnListener }),
            Reservations,
            new UnboundConnections(),
            random,
            mobile,
            number);
    }

    public TurnEngine Engine { get; }

    public RequestAuthenticator Authenticator { get; }

    public NonceIssuer Nonces { get; }

    public PortReservations Reservations { get; } = new();

    public EngineTime Time { get; private set; } = new(1_000_000, new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    /// <summary>What the next Allocates are decided to; success unless a test says otherwise.</summary>
    public StunError Decision { get; set; }

    /// <summary>When set, Allocates wait here instead of being decided at once.</summary>
    public List<PendingAllocation>? Waiting { get; set; }

    public List<FakeRelay> Relays { get; } = [];

    public FakePath Path { get; } = new();

    public void Advance(double seconds) =>
        Time = new EngineTime(Time.Milliseconds + (long)(seconds * 1000), Time.Utc.AddSeconds(seconds));

    public FiveTuple NewFlow(ClientTransport transport = ClientTransport.Udp) => new(
        transport,
        new TransportAddress(InternetAddress.Parse("198.51.100.7"), _nextClientPort++),
        TransportAddress.From(IPEndPoint.Parse("192.0.2.1:3478")));

    public TestClient NewClient(TestCredential? credential = null, ClientTransport transport = ClientTransport.Udp) =>
        new(this, NewFlow(transport), credential ?? TestCredential.Password("alice", "secret"));

    /// <summary>A token as the authorization server makes it.</summary>
    public TestToken NewToken(
        string kid = "k1", int macKeyLength = 20, uint lifetime = 600, double age = 0, string serverName = ServerName,
        TokenTimestamp? timestamp = null)
    {
        var key = _keys.FirstOrDefault(key => key.KeyId == kid) ?? _keys[0];
        var macKey = RandomNumberGenerator.GetBytes(macKeyLength);
        var octets = new byte[AccessToken.MaxEncodedLength];
        var made = timestamp ?? TokenTimestamp.FromDateTimeOffset(Time.Utc.AddSeconds(-age));
        var length = key.Encrypt(
            new AccessToken(macKey, made, lifetime), RandomNumberGenerator.GetBytes(12), Encoding.UTF8.GetBytes(serverName), octets);
        return new TestToken(kid, octets[..length], macKey);
    }

    /// <summary>Gives the engine a packet of a client and returns its answer; null when there is none.</summary>
    public Answer? Send(byte[] packet, FiveTuple flow)
    {
        var reply = new byte[TurnEngine.ReplyBufferLength];
        var outcome = Engine.HandleClient(packet, flow, Path, Time, reply);
        LastDrop = outcome.DropReason;
        if (outcome.Kind == OutcomeKind.Decide)
        {
            if (Waiting is not null)
            {
                Waiting.Add(outcome.Pending!);
                return null;
            }

            outcome = Decide(outcome.Pending!, reply);
        }

        CloseWhatEnded();
        Connection = outcome.Connection;
        return outcome.Kind is OutcomeKind.Reply or OutcomeKind.Bind ? Answer.Read(reply.AsSpan(0, outcome.Length)) : null;
    }

    /// <summary>What the last packet wants opened, or was bound to.</summary>
    public PeerConnection? Connection { get; private set; }

    /// <summary>The answer to the Connect that the last packet was; null when nobody waits for it any more.</summary>
    public Answer? CompleteConnect(PeerConnection connection, PeerTransport? stream)
    {
        var reply = new byte[TurnEngine.ReplyBufferLength];
        var outcome = Engine.CompleteConnect(connection, stream, Time, reply);
        CloseWhatEnded();
        return outcome.Kind == OutcomeKind.Reply ? Answer.Read(reply.AsSpan(0, outcome.Length)) : null;
    }

    /// <summary>What a client is told of a peer that connects to its relay; null when it is told nothing.</summary>
    public Answer? PeerConnects(TestClient client, string peer, PeerTransport stream)
    {
        var message = new byte[TurnEngine.ReplyBufferLength];
        var outcome = Engine.HandlePeerConnection(client.Allocation, TestClient.Peer(peer), stream, Time, message);
        CloseWhatEnded();
        return outcome.Kind == OutcomeKind.ToClient ? Answer.Read(message.AsSpan(outcome.Offset, outcome.Length)) : null;
    }

    /// <summary>The answer to an Allocate that was waiting.</summary>
    public Answer? Complete(PendingAllocation pending)
    {
        var reply = new byte[TurnEngine.ReplyBufferLength];
        var outcome = Decide(pending, reply);
        CloseWhatEnded();
        return outcome.Kind == OutcomeKind.Reply ? Answer.Read(reply.AsSpan(0, outcome.Length)) : null;
    }

    /// <summary>What the engine wants done with a packet of a client, when it is to be relayed.</summary>
    public Outcome Route(byte[] packet, FiveTuple flow)
    {
        var outcome = Engine.HandleClient(packet, flow, Path, Time, new byte[TurnEngine.ReplyBufferLength]);
        LastDrop = outcome.DropReason;
        return outcome;
    }

    /// <summary>What a client gets of a datagram that a peer sent to its relay; null when it gets nothing.</summary>
    public byte[]? FromPeer(TestClient client, string peer, byte[] payload)
    {
        var buffer = new byte[TurnEngine.Headroom + payload.Length + TurnEngine.Tailroom];
        Array.Fill(buffer, (byte)0xEE);
        payload.CopyTo(buffer, TurnEngine.Headroom);
        var outcome = Engine.HandlePeer(client.Allocation, TransportAddress.From(IPEndPoint.Parse(peer)), buffer, Time);
        LastDrop = outcome.DropReason;
        return outcome.Kind == OutcomeKind.ToClient ? buffer.AsSpan(outcome.Offset, outcome.Length).ToArray() : null;
    }

    public DropReason LastDrop { get; private set; }

    public Allocation? LastAllocation { get; private set; }

    /// <summary>Relays of the allocations that have not ended.</summary>
    public int RelaysInUse => _live.Sum(allocation => (allocation.IPv4 is null ? 0 : 1) + (allocation.IPv6 is null ? 0 : 1));

    public void Sweep()
    {
        Engine.Sweep(Time);
        CloseWhatEnded();
    }

    public void CloseWhatEnded()
    {
        foreach (var relay in Engine.RelaysToClose) relay.Dispose();
        foreach (var allocation in Engine.Ended)
            Assert.True(_live.Remove(allocation), "an allocation has ended twice, and its quota with it");
        Engine.RelaysToClose.Clear();
        foreach (var stream in Engine.PeerTransportsToClose) stream.Dispose();
        Engine.PeerTransportsToClose.Clear();
        Engine.Ended.Clear();
    }

    private Outcome Decide(PendingAllocation pending, byte[] reply)
    {
        var wanted = pending.Relays;
        var decision = Decision != StunError.None ? new AllocationDecision(Decision)
            : pending.Reserved is { } reserved ? AllocationDecision.Of(reserved)
            : new AllocationDecision(
                StunError.None,
                wanted.IPv4 ? NewRelay("192.0.2.1") : null,
                wanted.IPv6 ? NewRelay("2001:db8::1") : null,
                wanted.ReserveNext ? NewRelay(wanted.IPv4 ? "192.0.2.1" : "2001:db8::1") : null);
        var outcome = Engine.Complete(pending, decision, Time, reply);
        LastAllocation = outcome.Allocation;
        if (LastAllocation is not null) _live.Add(LastAllocation);
        return outcome;
    }

    private FakeRelay NewRelay(string address)
    {
        var relay = new FakeRelay(new TransportAddress(InternetAddress.Parse(address), (ushort)(50000 + Relays.Count)));
        Relays.Add(relay);
        return relay;
    }
}

/// <summary>A relay without a socket.</summary>
internal sealed class FakeRelay(TransportAddress address) : Relay(address, address)
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

/// <summary>A connection with a peer without a socket.</summary>
internal sealed class FakePeerStream : PeerTransport
{
    public bool IsClosed { get; private set; }

    public override void Dispose() => IsClosed = true;
}

internal sealed class FakePath : ClientPath
{
    public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
    {
    }
}
