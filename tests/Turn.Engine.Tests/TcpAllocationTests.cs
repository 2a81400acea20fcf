using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>TCP allocations: RFC 6062 §5.</summary>
public sealed class TcpAllocationTests
{
    private const string Peer = "203.0.113.9:7000";

    private readonly EngineFixture _fixture = new(new EngineSettings { RelaysIPv6 = true, TcpRelays = true, MaxPeerConnections = 4 });

    [Theory]
    [InlineData(nameof(ClientTransport.Tcp), true, StunError.None)]
    [InlineData(nameof(ClientTransport.Tls), true, StunError.None)]
    [InlineData(nameof(ClientTransport.Udp), true, StunError.BadRequest)]
    [InlineData(nameof(ClientTransport.Dtls), true, StunError.BadRequest)]
    [InlineData(nameof(ClientTransport.Tcp), false, StunError.UnsupportedTransportProtocol)]
    [InlineData(nameof(ClientTransport.Udp), false, StunError.UnsupportedTransportProtocol)]
    [Requirement("RFC6062-5.1")]
    [Requirement("TURN-C1")]
    public void TcpRelay_IsForStreamsAlone_AndOffByDefault(string transport, bool isOn, StunError expected)
    {
        var fixture = new EngineFixture(isOn ? new EngineSettings { TcpRelays = true } : null);
        var answer = fixture.NewClient(transport: Enum.Parse<ClientTransport>(transport)).TryAllocate(StunRequest.TcpTransport);

        Assert.Equal(expected, answer!.Error);
        Assert.True(answer.HasIntegrity);
    }

    [Theory]
    [InlineData(StunAttributeType.EvenPort, "00")]
    [InlineData(StunAttributeType.EvenPort, "80")]
    [InlineData(StunAttributeType.ReservationToken, "0102030405060708")]
    [InlineData(StunAttributeType.DontFragment, "")]
    [Requirement("RFC6062-5.1")]
    [Requirement("TURN-C2")]
    public void WhatIsForDatagrams_DoesNotGoWithATcpRelay(StunAttributeType type, string value)
    {
        var answer = NewClient().TryAllocate((ref StunMessageWriter request) =>
        {
            StunRequest.TcpTransport(ref request);
            request.Write(type, Convert.FromHexString(value));
        });

        Assert.Equal(StunError.BadRequest, answer!.Error);
    }

    [Theory]
    [InlineData(0, StunError.None)]
    [InlineData(1, StunError.None)]
    [InlineData(2, StunError.None)]
    [InlineData(3, StunError.AddressFamilyNotSupported)]
    [Requirement("RFC6062-5.1")]
    [Requirement("TURN-C2")]
    public void TcpRelay_HasTheFamilyThatWasAskedFor_AndNoReservation(byte family, StunError expected)
    {
        var answer = NewClient().TryAllocate((ref StunMessageWriter request) =>
        {
            StunRequest.TcpTransport(ref request);
            if (family != 0) request.Write(StunAttributeType.RequestedAddressFamily, [family, 0, 0, 0]);
        });

        Assert.Equal(expected, answer!.Error);
        if (expected != StunError.None) return;
        Assert.Equal(family == 2
            ? StunAddressFamily.IPv6 : StunAddressFamily.IPv4, answer.Address(StunAttributeType.XorRelayedAddress).Address.Family);
        Assert.False(answer.Has(StunAttributeType.ReservationToken));
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("TURN-C3")]
    public void Connect_OpensAConnection_AndNamesItOnce()
    {
        var client = Allocated();
        Assert.Null(Connect(client, Peer));
        var first = Complete(new FakePeerTransport());
        Assert.Null(Connect(client, "203.0.113.9:7001"));
        var second = Complete(new FakePeerTransport());

        Assert.True(client.Verifies(first));
        Assert.NotEqual(0u, Id(first));
        Assert.NotEqual(Id(first), Id(second));
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("TURN-C3")]
    public void Connect_WithoutATcpAllocation_Is437()
    {
        Assert.Equal(StunError.AllocationMismatch, Connect(NewClient(), Peer)!.Error);
        var datagrams = NewClient();
        datagrams.Allocate();
        Assert.Equal(StunError.AllocationMismatch, Connect(datagrams, Peer)!.Error);
    }

    [Theory]
    [InlineData(null, StunError.BadRequest)]
    [InlineData("203.0.113.9:0", StunError.BadRequest)]
    [InlineData("127.0.0.1:80", StunError.Forbidden)]
    [InlineData("10.0.0.1:22", StunError.Forbidden)]
    [InlineData("203.0.113.1:6379", StunError.Forbidden)]
    [InlineData("[2001:db8::9]:80", StunError.PeerAddressFamilyMismatch)]
    [Requirement("RFC6062-5.2")]
    [Requirement("TURN-C3")]
    [Requirement("ABUSE-63")]
    public void Connect_ToNobodyOrWhereItMayNot_IsRefused(string? peer, StunError expected)
    {
        var client = Allocated();

        Assert.Equal(expected, Connect(client, peer)!.Error);
        Assert.Null(_fixture.Connection);
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("TURN-C3")]
    public void Connect_ToTheRelayItself_IsForbidden()
    {
        var client = Allocated();

        Assert.Equal(StunError.Forbidden, Connect(client, client.Allocation.IPv4!.Advertised.ToString())!.Error);
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("TURN-C3")]
    public void Connect_Twice_Is446WhileTheFirstIsOpenedAndAfterwards()
    {
        var client = Allocated();
        Assert.Null(Connect(client, Peer));
        var connection = _fixture.Connection!;
        Assert.Equal(StunError.ConnectionAlreadyExists, Connect(client, Peer)!.Error);

        _fixture.CompleteConnect(connection, new FakePeerTransport());
        Assert.Equal(StunError.ConnectionAlreadyExists, Connect(client, Peer)!.Error);

        _fixture.Engine.PeerConnectionClosed(connection);
        Assert.Null(Connect(client, Peer));
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("TURN-C3")]
    public void Connect_ThatFails_Is447_AndMayBeTriedAgain()
    {
        var client = Allocated();
        Assert.Null(Connect(client, Peer));
        var answer = _fixture.CompleteConnect(_fixture.Connection!, null)!;

        Assert.Equal(StunError.ConnectionTimeoutOrFailure, answer.Error);
        Assert.True(client.Verifies(answer));
        Assert.Null(Connect(client, Peer));
    }

    [Fact]
    [Requirement("ABUSE-65")]
    public void Connections_AreBounded_AndAPeersOwnAreClosedWhenAllAreTaken()
    {
        var client = Allocated();
        client.CreatePermission("203.0.113.9");
        for (var port = 1; port <= 4; port++) Assert.Null(Connect(client, $"203.0.113.9:{port}"));

        Assert.Equal(StunError.InsufficientCapacity, Connect(client, Peer)!.Error);
        var stream = new FakePeerTransport();
        Assert.Null(_fixture.PeerConnects(client, Peer, stream));
        Assert.True(stream.IsClosed);
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("TURN-C4")]
    public void ConnectionThatNobodyBinds_IsClosedAfterThirtySeconds()
    {
        var client = Allocated();
        client.CreatePermission("203.0.113.9");
        var (opened, accepted) = (new FakePeerTransport(), new FakePeerTransport());
        Connect(client, Peer);
        var id = Id(Complete(opened));
        _fixture.PeerConnects(client, "203.0.113.9:8000", accepted);

        _fixture.Advance(29.9);
        _fixture.Sweep();
        Assert.False(opened.IsClosed || accepted.IsClosed);
        _fixture.Advance(0.1);
        _fixture.Sweep();
        Assert.True(opened.IsClosed && accepted.IsClosed);
        Assert.Equal(StunError.BadRequest, Bind(NewClient(), id)!.Error);
        Assert.Null(Connect(client, Peer));
    }

    [Fact]
    [Requirement("RFC6062-5.3")]
    [Requirement("TURN-C5")]
    public void PeerWithoutPermission_IsClosedAtOnce_AndTheClientIsNotTold()
    {
        var client = Allocated();
        client.CreatePermission("203.0.113.10");
        var stream = new FakePeerTransport();

        Assert.Null(_fixture.PeerConnects(client, Peer, stream));
        Assert.True(stream.IsClosed);
    }

    [Fact]
    [Requirement("RFC6062-5.3")]
    [Requirement("TURN-C5")]
    public void PeerWithPermission_IsAnnounced_AndCanBeBound()
    {
        var client = Allocated();
        client.CreatePermission("203.0.113.9");
        var attempt = _fixture.PeerConnects(client, Peer, new FakePeerTransport())!;

        Assert.Equal((StunMethod.ConnectionAttempt, StunClass.Indication), (attempt.Message.Method, attempt.Message.Class));
        Assert.Equal(Peer, attempt.Address(StunAttributeType.XorPeerAddress).ToString());
        Assert.True(Bind(NewClient(), Id(attempt))!.IsSuccess);

        _fixture.Advance(300);
        var late = new FakePeerTransport();
        Assert.Null(_fixture.PeerConnects(client, "203.0.113.9:8000", late));
        Assert.True(late.IsClosed);
    }

    [Fact]
    [Requirement("RFC6062-5.4")]
    [Requirement("TURN-C6")]
    public void ConnectionBind_TakesAConnectionOnce_AndItLivesOn()
    {
        var client = Allocated();
        var stream = new FakePeerTransport();
        Connect(client, Peer);
        var id = Id(Complete(stream));
        var data = NewClient();
        var answer = Bind(data, id)!;

        Assert.True(answer.IsSuccess);
        Assert.True(data.Verifies(answer));
        Assert.Same(stream, _fixture.Connection!.Stream);
        Assert.Equal(StunError.BadRequest, Bind(NewClient(), id)!.Error);
        _fixture.Advance(60);
        _fixture.Sweep();
        Assert.False(stream.IsClosed);
    }

    [Fact]
    [Requirement("RFC6062-5.4")]
    [Requirement("TURN-C6")]
    public void ConnectionBind_MayComeWithTheNonceOfTheControlConnection_AndWithNobodyElses()
    {
        var client = Allocated();
        Connect(client, Peer);
        var id = Id(Complete(new FakePeerTransport()));
        var (data, stranger) = (NewClient(), NewClient());

        data.Nonce = stranger.Challenge().Value(StunAttributeType.Nonce);
        Assert.Equal(StunError.StaleNonce, Bind(data, id)!.Error);
        data.Nonce = client.Nonce;
        Assert.True(Bind(data, id)!.IsSuccess);
    }

    [Fact]
    [Requirement("RFC6062-5.4")]
    [Requirement("TURN-C6")]
    public void ConnectionBind_OverUdp_OrOnTheControlConnection_OrOfNothing_Is400()
    {
        var client = Allocated();
        Connect(client, Peer);
        var id = Id(Complete(new FakePeerTransport()));

        Assert.Equal(StunError.BadRequest, Bind(_fixture.NewClient(), id)!.Error);
        Assert.Equal(StunError.BadRequest, Bind(client, id)!.Error);
        Assert.Equal(StunError.BadRequest, Bind(NewClient(), id + 1)!.Error);
        Assert.Equal(StunError.BadRequest, NewClient().Request(StunMethod.ConnectionBind)!.Error);
        Assert.True(Bind(NewClient(), id)!.IsSuccess);
    }

    [Fact]
    [Requirement("RFC6062-5.4")]
    [Requirement("TURN-C6")]
    public void ConnectionBind_NeedsTheCredentialOfTheAllocation()
    {
        var client = Allocated();
        Connect(client, Peer);
        var id = Id(Complete(new FakePeerTransport()));

        Assert.Equal(
            StunError.WrongCredentials, Bind(_fixture.NewClient(StunCredential.Password("bob", "secret"), ClientTransport.Tcp), id)!.Error);
        Assert.Equal(
            StunError.Unauthenticated, Bind(_fixture.NewClient(StunCredential.Password("alice", "wrong"), ClientTransport.Tcp), id)!.Error);
        Assert.True(Bind(NewClient(), id)!.IsSuccess);
    }

    [Fact]
    [Requirement("RFC6062-5.4")]
    [Requirement("RFC7635-9")]
    [Requirement("TURN-C6")]
    public void ConnectionBind_UnderAToken_IsProvedWithItsSessionKey()
    {
        var token = _fixture.NewToken();
        var client = _fixture.NewClient(token.Native, ClientTransport.Tcp);
        client.Allocate(StunRequest.TcpTransport);
        Connect(client, Peer);
        var id = Id(Complete(new FakePeerTransport()));

        Assert.Equal(StunError.Unauthenticated, Bind(_fixture.NewClient(_fixture.NewToken().Native, ClientTransport.Tcp), id)!.Error);
        Assert.True(Bind(_fixture.NewClient(token.Native, ClientTransport.Tcp), id)!.IsSuccess);
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("RFC6062-5.4")]
    [Requirement("TURN-C6")]
    public void ConnectionBind_ComesInTime_AlsoBetweenTwoSweeps()
    {
        var client = Allocated();
        Connect(client, Peer);
        var late = Id(Complete(new FakePeerTransport()));
        _fixture.Advance(30);
        Assert.Equal(StunError.BadRequest, Bind(NewClient(), late)!.Error);

        _fixture.Advance(560);
        Connect(client, "203.0.113.9:7001");
        var ofEnded = Id(Complete(new FakePeerTransport()));
        _fixture.Advance(10);
        Assert.Equal(StunError.BadRequest, Bind(NewClient(), ofEnded)!.Error);
    }

    [Fact]
    [Requirement("RFC6062-5.4")]
    [Requirement("TURN-C6")]
    public void ConnectionBind_FromWhereAnotherWorkersClientHasMoved_IsABadRequest()
    {
        var mobile = new MobileAllocations(new MobilityTickets(new byte[32]));
        var fixture = new EngineFixture(new EngineSettings { TcpRelays = true }, mobile: mobile);
        var client = fixture.NewClient(transport: ClientTransport.Tcp);
        client.Allocate(StunRequest.TcpTransport);
        Connect(client, Peer);
        var id = Id(EngineClient.Answered(fixture.CompleteConnect(fixture.Connection!, new FakePeerTransport())));
        var taken = fixture.NewFlow(ClientTransport.Tcp);
        mobile.Add(taken, engine: 1);

        Assert.Equal(StunError.BadRequest, Bind(new EngineClient(fixture, taken, client.Credential), id)!.Error);
        Assert.True(Bind(fixture.NewClient(transport: ClientTransport.Tcp), id)!.IsSuccess);
    }

    [Fact]
    [Requirement("TURN-D3")]
    [Requirement("TURN-C3")]
    public void MobileClient_IsAtItsNewStreamAtOnce_ForNoDataCouldComeByIt()
    {
        var (fixture, client, ticket) = Mobile();
        var moved = new EngineClient(fixture, fixture.NewFlow(ClientTransport.Tls), client.Credential);

        Assert.True(Move(moved, ticket).IsSuccess);
        Assert.Equal(moved.Flow, client.Allocation.FiveTuple);
        Assert.Null(Connect(moved, Peer));
        Assert.True(EngineClient.Answered(fixture.CompleteConnect(fixture.Connection!, new FakePeerTransport())).IsSuccess);
    }

    [Theory]
    [InlineData(nameof(ClientTransport.Udp))]
    [InlineData(nameof(ClientTransport.Dtls))]
    [Requirement("RFC6062-5.1")]
    [Requirement("TURN-D2")]
    public void MobileClient_MovesToStreamsAlone(string transport)
    {
        var (fixture, client, ticket) = Mobile();

        Assert.Equal(
            StunError.BadRequest,
            Move(new EngineClient(fixture, fixture.NewFlow(Enum.Parse<ClientTransport>(transport)), client.Credential), ticket).Error);
        Assert.Equal(client.Flow, client.Allocation.FiveTuple);
    }

    [Fact]
    [Requirement("RFC6062-5.5")]
    [Requirement("TURN-C7")]
    public void AllocationsEnd_ClosesAllItsConnections_BoundOrNot()
    {
        Action<EngineClient>[] ends =
        [
            client => client.Refresh(0),
            client => _fixture.Engine.StreamClosed(client.Flow),
            _ =>
            {
                _fixture.Advance(601);
                _fixture.Sweep();
            },
        ];
        foreach (var end in ends)
        {
            var client = Allocated();
            var (bound, unbound, late) = (new FakePeerTransport(), new FakePeerTransport(), new FakePeerTransport());
            Connect(client, Peer);
            Bind(NewClient(), Id(Complete(bound)));
            Connect(client, "203.0.113.9:7001");
            var id = Id(Complete(unbound));
            Connect(client, "203.0.113.9:7002");
            var connecting = _fixture.Connection!;

            end(client);
            _fixture.CloseWhatEnded();
            Assert.True(bound.IsClosed && unbound.IsClosed);
            Assert.Null(_fixture.CompleteConnect(connecting, late));
            Assert.True(late.IsClosed);
            Assert.Equal(StunError.BadRequest, Bind(NewClient(), id)!.Error);
        }
    }

    [Fact]
    [Requirement("RFC6062-5")]
    public void TcpAllocation_RelaysNoDatagrams()
    {
        var client = Allocated();
        client.CreatePermission("203.0.113.9");

        Assert.Equal(DropReason.UnexpectedMessage, client.Send(Peer, [1]).DropReason);
        Assert.Equal(StunError.BadRequest, client.ChannelBind(0x4000, Peer).Error);
    }

    [Fact]
    public void WhereTcpRelaysAreOff_TheirMethodsAreUnknown()
    {
        var fixture = new EngineFixture();
        var client = fixture.NewClient(transport: ClientTransport.Tcp);
        client.Allocate();

        Assert.Null(client.Request(StunMethod.Connect));
        Assert.Null(client.Request(StunMethod.ConnectionBind));
        Assert.Equal(DropReason.UnexpectedMessage, fixture.LastDrop);
    }

    private static uint Id(StunAnswer answer)
    {
        Assert.True(answer.Message.TryGetUInt32(StunAttributeType.ConnectionId, out var id));
        return id;
    }

    private static StunAnswer? Connect(EngineClient client, string? peer) => client.Request(
        StunMethod.Connect,
        (ref StunMessageWriter request) =>
        {
            if (peer is not null) request.WriteXorAddress(StunAttributeType.XorPeerAddress, EngineClient.Peer(peer));
        });

    private static StunAnswer? Bind(EngineClient client, uint id) => client.Request(
        StunMethod.ConnectionBind, (ref StunMessageWriter request) => request.WriteUInt32(StunAttributeType.ConnectionId, id));

    private static (EngineFixture Fixture, EngineClient Client, byte[] Ticket) Mobile()
    {
        var fixture =
            new EngineFixture(new EngineSettings { TcpRelays = true }, mobile: new MobileAllocations(new MobilityTickets(new byte[32])));
        var client = fixture.NewClient(transport: ClientTransport.Tcp);
        var answer = client.Allocate((ref StunMessageWriter request) =>
        {
            StunRequest.TcpTransport(ref request);
            request.Write(StunAttributeType.MobilityTicket, []);
        });
        return (fixture, client, answer.Value(StunAttributeType.MobilityTicket));
    }

    private static StunAnswer Move(EngineClient client, byte[] ticket) => EngineClient.Answered(client.Request(
        StunMethod.Refresh, (ref StunMessageWriter request) => request.Write(StunAttributeType.MobilityTicket, ticket)));

    private StunAnswer Complete(FakePeerTransport stream) => EngineClient.Answered(_fixture.CompleteConnect(_fixture.Connection!, stream));

    private EngineClient NewClient() => _fixture.NewClient(transport: ClientTransport.Tcp);

    private EngineClient Allocated()
    {
        var client = NewClient();
        client.Allocate(StunRequest.TcpTransport);
        return client;
    }
}
