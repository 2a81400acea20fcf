using System.Net;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Tests.Common.Engine;

/// <summary>An engine with fake relays, a time that the test moves, and an admission that accepts all.</summary>
public sealed class EngineFixture
{
    public const string ServerName = "turn.example.org";
    public const string Realm = "example.org";

    /// <summary>A user whose name has the separator of the browser profile.</summary>
    public const string UserWithSeparator = "ti~lde";

    /// <summary>An address of the server itself. It is denied although its range is allowed.</summary>
    public static readonly TransportAddress OwnAddress = TransportAddress.From(IPEndPoint.Parse("203.0.113.1:6379"));

    /// <summary>Another listener of the server, on the port that the clients of the fixture use.</summary>
    private static readonly TransportAddress OwnListener = TransportAddress.From(IPEndPoint.Parse("203.0.113.1:3478"));

    private readonly AccessTokenKey[] _keys =
    [
        new("k1", AccessTokenAlgorithm.A256Gcm, RandomNumberGenerator.GetBytes(32)),
        new("k2", AccessTokenAlgorithm.A128Gcm, RandomNumberGenerator.GetBytes(16)),
    ];

    private readonly HashSet<Allocation> _live = [];
    private ushort _nextClientPort = 40000;

    public EngineFixture(
        EngineSettings? settings = null, bool tokens = true, bool browserProfile = true, bool staticUsers = true, Random? random = null,
        string? sharedSecret = null, MobileAllocations? mobile = null, int number = 0,
        PeerPolicy? peers = null, bool sharedSecretEndsAllocations = false)
    {
        random ??= new Random(1);
        var users = staticUsers
            ? new[] { "alice", "bob", UserWithSeparator }.Select(name => Credential.FromStaticUser(name, "secret", Realm)).ToArray() : [];
        var ring = new AccessTokenKeyRing(tokens ? _keys : []);
        var authentication = new AuthenticationSettings(
            ServerName, Realm, browserProfile, users, sharedSecret is null ? null : Encoding.UTF8.GetBytes(sharedSecret),
            sharedSecretEndsAllocations);
        Nonces = new NonceIssuer(new byte[32], authentication.Features(tokens), random);
        Authenticator = new RequestAuthenticator(authentication, ring, Nonces);
        Engine = new TurnEngine(
            settings ?? new EngineSettings { RelaysIPv6 = true },
            Authenticator,
            peers ?? new PeerPolicy(
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

    /// <summary>The decision on the next Allocates; success by default.</summary>
    public StunError Decision { get; set; }

    /// <summary>The decision on Refreshes with another token; success by default.</summary>
    public StunError Renewal { get; set; }

    /// <summary>What the grants of the next Allocates allow, and the meter of their user.</summary>
    public TrafficLimits? Traffic { get; set; }

    /// <inheritdoc cref="Traffic"/>
    public SharedTraffic? UserTraffic { get; set; }

    /// <summary>The meter of the client address of the next Allocates.</summary>
    public SharedTraffic? AddressTraffic { get; set; }

    /// <summary>If set, Allocates wait here and are not decided.</summary>
    public List<PendingAllocation>? Waiting { get; set; }

    public List<FakeRelay> Relays { get; } = [];

    public FakePath Path { get; } = new();

    public void Advance(double seconds) =>
        Time = new EngineTime(Time.Milliseconds + (long)(seconds * 1000), Time.Utc.AddSeconds(seconds));

    public FiveTuple NewFlow(ClientTransport transport = ClientTransport.Udp) => new(
        transport,
        new TransportAddress(InternetAddress.Parse("198.51.100.7"), _nextClientPort++),
        TransportAddress.From(IPEndPoint.Parse("192.0.2.1:3478")));

    public EngineClient NewClient(StunCredential? credential = null, ClientTransport transport = ClientTransport.Udp) =>
        new(this, NewFlow(transport), credential ?? StunCredential.Password("alice", "secret"));

    /// <summary>A token of the same form as the authorization server's.</summary>
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

    /// <summary>Sends a packet of a client to the engine and returns the answer, or null.</summary>
    public StunAnswer? Send(byte[] packet, FiveTuple flow)
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

        if (outcome.Kind == OutcomeKind.Renew) outcome = Engine.CompleteRenewal(outcome.Renewal!, Renewal, Time, reply);

        CloseWhatEnded();
        Connection = outcome.Connection;
        return outcome.Kind is OutcomeKind.Reply or OutcomeKind.Bind ? new StunAnswer(reply.AsSpan(0, outcome.Length).ToArray()) : null;
    }

    /// <summary>The connection that the last packet opens or was bound to.</summary>
    public PeerConnection? Connection { get; private set; }

    /// <summary>Completes a Connect and returns the answer; null if the client no longer waits.</summary>
    public StunAnswer? CompleteConnect(PeerConnection connection, PeerTransport? stream)
    {
        var reply = new byte[TurnEngine.ReplyBufferLength];
        var outcome = Engine.CompleteConnect(connection, stream, Time, reply);
        CloseWhatEnded();
        return outcome.Kind == OutcomeKind.Reply ? new StunAnswer(reply.AsSpan(0, outcome.Length).ToArray()) : null;
    }

    /// <summary>Connects a peer to the relay of a client and returns the indication to the client, or null.</summary>
    public StunAnswer? PeerConnects(EngineClient client, string peer, PeerTransport stream)
    {
        var message = new byte[TurnEngine.ReplyBufferLength];
        var outcome = Engine.HandlePeerConnection(client.Allocation, EngineClient.Peer(peer), stream, Time, message);
        CloseWhatEnded();
        return outcome.Kind == OutcomeKind.ToClient ? new StunAnswer(message.AsSpan(outcome.Offset, outcome.Length).ToArray()) : null;
    }

    /// <summary>Decides a waiting Allocate and returns the answer, or null.</summary>
    public StunAnswer? Complete(PendingAllocation pending)
    {
        var reply = new byte[TurnEngine.ReplyBufferLength];
        var outcome = Decide(pending, reply);
        CloseWhatEnded();
        return outcome.Kind == OutcomeKind.Reply ? new StunAnswer(reply.AsSpan(0, outcome.Length).ToArray()) : null;
    }

    /// <summary>Sends a packet of a client to the engine and returns the outcome.</summary>
    public Outcome Route(byte[] packet, FiveTuple flow)
    {
        var outcome = Engine.HandleClient(packet, flow, Path, Time, new byte[TurnEngine.ReplyBufferLength]);
        LastDrop = outcome.DropReason;
        return outcome;
    }

    /// <summary>Sends a datagram of a peer to the relay of a client and returns the message to the client, or null.</summary>
    public byte[]? FromPeer(EngineClient client, string peer, byte[] payload)
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
        decision = decision with { Traffic = Traffic, UserTraffic = UserTraffic, AddressTraffic = AddressTraffic };
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
