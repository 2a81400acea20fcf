using System.Net;
using System.Security.Cryptography;
using System.Text;
using BenchmarkDotNet.Attributes;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
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
    private readonly Path _path = new();
    private readonly byte[] _key = MD5.HashData(Encoding.UTF8.GetBytes($"alice:{Realm}:secret"));
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
        _send = Message(StunMethod.Send, StunClass.Indication, (ref StunMessageWriter writer) =>
        {
            writer.WriteXorAddress(StunAttributeType.XorPeerAddress, OtherPeer);
            writer.Write(StunAttributeType.Data, new byte[PayloadLength]);
        });
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
        var outcome = Handle(StunMethod.Allocate, flow, nonce, (ref StunMessageWriter writer) =>
            writer.Write(StunAttributeType.RequestedTransport, [17, 0, 0, 0]));
        var allocation =
            _engine.Complete(outcome.Pending!, new AllocationDecision(StunError.None, new NoRelay()), Time, _reply).Allocation!;
        var bound = Handle(StunMethod.ChannelBind, flow, nonce, (ref StunMessageWriter writer) =>
        {
            writer.Write(StunAttributeType.ChannelNumber, [Channel >> 8, Channel & 0xFF, 0, 0]);
            writer.WriteXorAddress(StunAttributeType.XorPeerAddress, ChannelPeer);
        });
        var permitted = Handle(StunMethod.CreatePermission, flow, nonce, (ref StunMessageWriter writer) =>
            writer.WriteXorAddress(StunAttributeType.XorPeerAddress, OtherPeer));
        return (bound.Error, permitted.Error) == (StunError.None, StunError.None)
            ? allocation : throw new InvalidOperationException($"{bound.Error} {permitted.Error}");
    }

    private Outcome Handle(StunMethod method, FiveTuple flow, byte[] nonce, Writing write)
    {
        var request = Message(method, StunClass.Request, (ref StunMessageWriter writer) =>
        {
            write(ref writer);
            writer.Write(StunAttributeType.Username, "alice"u8);
            writer.Write(StunAttributeType.Realm, Encoding.UTF8.GetBytes(Realm));
            writer.Write(StunAttributeType.Nonce, nonce);
            writer.AddMessageIntegrity(_key);
        });
        return _engine.HandleClient(request, flow, _path, Time, _reply);
    }

    private delegate void Writing(ref StunMessageWriter writer);

    private static byte[] Message(StunMethod method, StunClass @class, Writing write)
    {
        var writer =
            new StunMessageWriter(new byte[1024], method, @class, new TransactionId(RandomNumberGenerator.GetBytes(TransactionId.Length)));
        write(ref writer);
        return writer.Written.ToArray();
    }

    private static FiveTuple Flow(int number) => new(
        ClientTransport.Udp, new TransportAddress(InternetAddress.Parse("198.51.100.7"), (ushort)(10_000 + number)),
        Address("192.0.2.1:3478"));

    private static TransportAddress Address(string endpoint) => TransportAddress.From(IPEndPoint.Parse(endpoint));

    private sealed class Path : ClientPath
    {
        public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
        {
        }
    }

    private sealed class NoRelay() : Relay(Address("192.0.2.1:50000"), Address("192.0.2.1:50000"))
    {
        public override void Send(in TransportAddress peer, ReadOnlySpan<byte> payload)
        {
        }

        public override void SendUnfragmented(in TransportAddress peer, ReadOnlySpan<byte> payload)
        {
        }

        public override void Dispose()
        {
        }
    }
}
