using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>Connections with peers: refusals that only one rule gives, and what is closed when (RFC 6062).</summary>
public sealed class PeerConnectionTests
{
    private const string Peer = "203.0.113.9:7000";

    private readonly EngineFixture _fixture = new(new EngineSettings { TcpRelays = true, MaxPeerConnections = 2 });

    [Theory]
    [InlineData(StunAttributeType.RequestedAddressFamily, StunError.AddressFamilyNotSupported)]
    [InlineData(StunAttributeType.AdditionalAddressFamily, StunError.BadRequest)]
    [Requirement("RFC6062-5.1")]
    [Requirement("TURN-C2")]
    public void TcpRelayOfIPv6_OrOfBothFamilies_IsRefused(StunAttributeType type, StunError error) =>
        Assert.Equal(error, NewClient().TryAllocate(StunRequest.All(TcpTransport, StunRequest.Value(type, 2, 0, 0, 0)))!.Error);

    [Fact]
    [Requirement("RFC6062-5.1")]
    public void TcpRelay_IsAskedForAsOne()
    {
        _fixture.Waiting = [];
        NewClient().TryAllocate(TcpTransport);

        Assert.Equal(
            new RelayRequest(IPv4: true, IPv6: false, EvenPort: false, ReserveNext: false) { IsTcp = true }, _fixture.Waiting[0].Relays);
    }

    /// <summary>Behind a NAT a relay has two addresses, and a connection to either would be one with itself.</summary>
    [Theory]
    [InlineData("203.0.113.80:50000", StunError.Forbidden)]
    [InlineData("203.0.113.90:50000", StunError.Forbidden)]
    [InlineData("203.0.113.80:50001", StunError.None)]
    [Requirement("RFC6062-5.2")]
    [Requirement("TURN-C3")]
    public void Connect_ToTheRelaysBoundOrAdvertisedAddress_IsForbidden(string peer, StunError error)
    {
        var client = NewClient();
        _fixture.Waiting = [];
        client.TryAllocate(TcpTransport);
        _fixture.Engine.Complete(
            _fixture.Waiting[0],
            AllocationDecision.Of(new RelayBehindNat(EngineClient.Peer("203.0.113.80:50000"), EngineClient.Peer("203.0.113.90:50000"))),
            _fixture.Time,
            new byte[TurnEngine.ReplyBufferLength]);

        Assert.Equal(error, Connect(client, peer)?.Error ?? StunError.None);
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("TURN-C3")]
    public void ConnectThatFails_IsAnErrorResponse_WithTheSoftware()
    {
        var fixture = new EngineFixture(new EngineSettings { TcpRelays = true, Software = "the software" });
        var client = fixture.NewClient(transport: ClientTransport.Tcp);
        client.Allocate(TcpTransport);
        Assert.Null(Connect(client, Peer));
        var answer = fixture.CompleteConnect(fixture.Connection!, stream: null)!;

        Assert.Equal((StunClass.ErrorResponse, StunError.ConnectionTimeoutOrFailure), (answer.Message.Class, answer.Error));
        Assert.Equal("the software", answer.Text(StunAttributeType.Software));
    }

    [Fact]
    [Requirement("RFC6062-5.3")]
    [Requirement("TURN-C5")]
    public void SecondConnectionOfTheSamePeer_IsClosed()
    {
        var client = Allocated();
        client.CreatePermission(Peer);
        var (first, second) = (new FakePeerTransport(), new FakePeerTransport());
        Assert.NotNull(_fixture.PeerConnects(client, Peer, first));

        Assert.Null(_fixture.PeerConnects(client, Peer, second));
        Assert.False(first.IsClosed);
        Assert.True(second.IsClosed);
    }

    [Fact]
    [Requirement("RFC6062-5.3")]
    public void PeerThatIsNotAnnounced_HasItsReason()
    {
        var client = Allocated();
        Assert.Equal(DropReason.NoPermission, PeerConnects(client).DropReason);
        client.CreatePermission(Peer);
        Assert.Equal(OutcomeKind.ToClient, PeerConnects(client).Kind);
        client.Refresh(0);

        Assert.Equal(DropReason.NoAllocation, PeerConnects(client).DropReason);
    }

    [Fact]
    [Requirement("RFC6062-5.3")]
    public void PeerOfAnExpiredAllocation_IsClosed_AlsoBeforeTheSweep()
    {
        var client = Allocated();
        _fixture.Advance(400);
        client.CreatePermission(Peer);
        _fixture.Advance(200);
        var stream = new FakePeerTransport();

        Assert.Null(_fixture.PeerConnects(client, Peer, stream));
        Assert.True(stream.IsClosed);
    }

    [Fact]
    [Requirement("ABUSE-65")]
    public void ConnectionsOfPeersAndOfConnect_AreCountedTogether()
    {
        var client = Allocated();
        client.CreatePermission(Peer);
        Assert.NotNull(_fixture.PeerConnects(client, Peer, new FakePeerTransport()));
        Assert.Null(Connect(client, "203.0.113.9:7001"));

        Assert.Equal(StunError.InsufficientCapacity, Connect(client, "203.0.113.9:7002")!.Error);
        Assert.Null(_fixture.PeerConnects(client, "203.0.113.9:7003", new FakePeerTransport()));
    }

    [Fact]
    [Requirement("RFC6062-5.4")]
    [Requirement("TURN-C6")]
    public void ConnectionBind_WhileAnAllocateIsBeingDecided_IsABadRequest()
    {
        var client = Allocated();
        var id = Connected(client, new FakePeerTransport());
        var busy = NewClient();
        _fixture.Waiting = [];
        busy.TryAllocate(TcpTransport);

        Assert.Equal(StunError.BadRequest, Bind(busy, id)!.Error);
        Assert.True(Bind(NewClient(), id)!.IsSuccess);
    }

    [Fact]
    [Requirement("RFC8489-6.3.1")]
    public void ConnectionBind_WithAnUnknownAttribute_TakesNothing()
    {
        var client = Allocated();
        var id = Connected(client, new FakePeerTransport());
        var answer = NewClient().Request(
            StunMethod.ConnectionBind, StunRequest.All(Id(id), StunRequest.Value((StunAttributeType)0x7FFF)))!;

        Assert.Equal(StunError.UnknownAttribute, answer.Error);
        Assert.True(Bind(NewClient(), id)!.IsSuccess);
    }

    [Fact]
    [Requirement("RFC6062-5.5")]
    [Requirement("TURN-C7")]
    public void ConnectionThatEnds_IsClosedOnce_AndCanNotBeBound()
    {
        var client = Allocated();
        var id = Connected(client, new FakePeerTransport());
        var connection = _fixture.Connection!;
        _fixture.Engine.PeerConnectionClosed(connection);
        _fixture.Engine.PeerConnectionClosed(connection);

        Assert.Same(connection.Stream, Assert.Single(_fixture.Engine.PeerTransportsToClose));
        Assert.Equal(StunError.BadRequest, Bind(NewClient(), id)!.Error);
    }

    /// <summary>A bound connection outlives the sweep that would have closed it, and one that waits does not.</summary>
    [Fact]
    [Requirement("RFC6062-5.2")]
    public void Sweep_ClosesOnlyWhatStillWaits()
    {
        var client = Allocated();
        var (bound, waiting) = (new FakePeerTransport(), new FakePeerTransport());
        Assert.True(Bind(NewClient(), Connected(client, bound))!.IsSuccess);
        Connected(client, waiting, "203.0.113.9:7001");
        _fixture.Advance(30);
        _fixture.Sweep();

        Assert.False(bound.IsClosed);
        Assert.True(waiting.IsClosed);
        Assert.Equal(StunError.ConnectionAlreadyExists, Connect(client, Peer)!.Error);
        Assert.Null(Connect(client, "203.0.113.9:7001"));
    }

    private static void TcpTransport(ref StunMessageWriter request) => request.Write(StunAttributeType.RequestedTransport, [6, 0, 0, 0]);

    private static WriteAttributes Id(uint id) =>
        (ref StunMessageWriter request) => request.WriteUInt32(StunAttributeType.ConnectionId, id);

    private static StunAnswer? Connect(EngineClient client, string peer) =>
        client.Request(StunMethod.Connect, StunRequest.Peer(EngineClient.Peer(peer).ToIPEndPoint()));

    private static StunAnswer? Bind(EngineClient client, uint id) => client.Request(StunMethod.ConnectionBind, Id(id));

    private uint Connected(EngineClient client, FakePeerTransport stream, string peer = Peer)
    {
        Assert.Null(Connect(client, peer));
        var answer = EngineClient.Answered(_fixture.CompleteConnect(_fixture.Connection!, stream));
        Assert.True(answer.Message.TryGetUInt32(StunAttributeType.ConnectionId, out var id));
        return id;
    }

    private Outcome PeerConnects(EngineClient client) => _fixture.Engine.HandlePeerConnection(
        client.Allocation, EngineClient.Peer(Peer), new FakePeerTransport(), _fixture.Time, new byte[TurnEngine.ReplyBufferLength]);

    private EngineClient NewClient() => _fixture.NewClient(transport: ClientTransport.Tcp);

    private EngineClient Allocated()
    {
        var client = NewClient();
        client.Allocate(TcpTransport);
        return client;
    }

    private sealed class RelayBehindNat(TransportAddress bound, TransportAddress advertised) : Relay(bound, advertised)
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
