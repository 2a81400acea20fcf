using System.Net;
using System.Text;
using BenchmarkDotNet.Attributes;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Micro;

/// <summary>The cost of the engine for each datagram on a server with many allocations, without the system calls.</summary>
[MemoryDiagnoser]
public class Relaying
{
    private const string Realm = "example.org";
    private const ushort Channel = 0x4000;
    private const int PayloadLength = 160;
    private static readonly TransportAddress ChannelPeer = Address("203.0.113.9:5000");
    private static readonly TransportAddress OtherPeer = Address("203.0.113.10:5000");
    private static readonly EngineTime Time = new(1_000_000, new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    private readonly byte[] _reply = new byte[TurnEngine.ReplyBufferLength];
    private readonly byte[] _fromPeer = new byte[TurnEngine.Headroom + PayloadLength + TurnEngine.Tailroom];
    private readonly byte[] _channelData = new byte[ChannelData.HeaderLength + PayloadLength];
    private readonly FakePath _path = new();
    private readonly StunCredential _credential = StunCredential.Password("alice", "secret");
    private readonly List<Allocation> _allocations = [];
    private TurnEngine _engine = null!;
    private byte[] _send = [];
    private int _next;

    [Params(1000)]
    public int Allocations { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        var random = new Random(1);
        var authentication =
            new AuthenticationSettings(
                "turn.example.org", Realm, BrowserProfile: true, [Credential.FromStaticUser("alice", "secret", Realm)]);
        var nonces = new NonceIssuer(new byte[32], authentication.Features(tokens: false), random);
        _engine = new TurnEngine(
            new EngineSettings(),
            new RequestAuthenticator(authentication, new AccessTokenKeyRing([]), nonces),
            new PeerPolicy([AddressRange.Parse("203.0.113.0/24")], [], new HashSet<TransportAddress>()),
            new PortReservations(),
            new UnboundConnections(),
            random);
        for (var i = 0; i < Allocations; i++) _allocations.Add(Allocate(nonces, Flow(i)));

        ChannelData.WriteHeader(_channelData, Channel, PayloadLength);
        _send = StunRequest.SendIndication(OtherPeer.ToIPEndPoint(), new byte[PayloadLength]);
    }

    [Benchmark]
    public int ChannelDataToPeer() => _engine.HandleClient(_channelData, Next().FiveTuple, _path, Time, _reply).Length;

    [Benchmark]
    public int SendIndicationToPeer() => _engine.HandleClient(_send, Next().FiveTuple, _path, Time, _reply).Length;

    [Benchmark]
    public int PeerToChannelData() => _engine.HandlePeer(Next(), ChannelPeer, _fromPeer, Time).Length;

    [Benchmark]
    public int PeerToDataIndication() => _engine.HandlePeer(Next(), OtherPeer, _fromPeer, Time).Length;

    private Allocation Next() => _allocations[_next = (_next + 1) % _allocations.Count];

    private Allocation Allocate(NonceIssuer nonces, FiveTuple flow)
    {
        var nonce = new byte[NonceIssuer.Length];
        nonces.Issue(flow, Time, nonce);
        var outcome = Handle(StunMethod.Allocate, flow, nonce, StunRequest.UdpTransport);
        var decision = new AllocationDecision(StunError.None, new FakeRelay(Address("192.0.2.1:50000")));
        var allocation = _engine.Complete(outcome.Pending!, decision, Time, _reply).Allocation!;
        var bound = Handle(StunMethod.ChannelBind, flow, nonce, StunRequest.Channel(Channel, ChannelPeer.ToIPEndPoint()));
        var permitted = Handle(StunMethod.CreatePermission, flow, nonce, StunRequest.Peer(OtherPeer.ToIPEndPoint()));
        return (bound.Error, permitted.Error) == (StunError.None, StunError.None)
            ? allocation : throw new InvalidOperationException($"{bound.Error} {permitted.Error}");
    }

    private Outcome Handle(StunMethod method, FiveTuple flow, byte[] nonce, WriteAttributes attributes)
    {
        var challenge = new StunChallenge(Encoding.UTF8.GetBytes(Realm), nonce);
        return _engine.HandleClient(StunRequest.Authenticated(method, attributes, _credential, challenge), flow, _path, Time, _reply);
    }

    private static FiveTuple Flow(int number) => new(
        ClientTransport.Udp, new TransportAddress(InternetAddress.Parse("198.51.100.7"), (ushort)(10_000 + number)),
        Address("192.0.2.1:3478"));

    private static TransportAddress Address(string endpoint) => TransportAddress.From(IPEndPoint.Parse(endpoint));
}
