using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Tests.Engine;

/// <summary>TCP allocations: RFC 6062 §5.</summary>
public sealed class TcpAllocationTests
{
    private const string Peer = "203.0.113.9:7000";

    private readonly EngineBench _bench = new(new EngineSettings { RelaysIPv6 = true, TcpRelays = true, MaxPeerConnections = 4 });

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
        var bench = new EngineBench(isOn ? new EngineSettings { TcpRelays = true } : null);
        var answer = bench.NewClient(transport: Enum.Parse<ClientTransport>(transport)).TryAllocate(TcpTransport);

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
            TcpTransport(ref request);
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
            TcpTransport(ref request);
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
        var first = Complete(new FakePeerStream());
        Assert.Null(Connect(client, "203.0.113.9:7001"));
        var second = Complete(new FakePeerStream());

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
        Assert.Null(_bench.Connection);
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
        var connection = _bench.Connection!;
        Assert.Equal(StunError.ConnectionAlreadyExists, Connect(client, Peer)!.Error);

        _bench.CompleteConnect(connection, new FakePeerStream());
        Assert.Equal(StunError.ConnectionAlreadyExists, Connect(client, Peer)!.Error);

        _bench.Engine.PeerConnectionClosed(connection);
        Assert.Null(Connect(client, Peer));
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("TURN-C3")]
    public void Connect_ThatFails_Is447_AndMayBeTriedAgain()
    {
        var client = Allocated();
        Assert.Null(Connect(client, Peer));
        var answer = _bench.CompleteConnect(_bench.Connection!, null)!;

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
        var stream = new FakePeerStream();
        Assert.Null(_bench.PeerConnects(client, Peer, stream));
        Assert.True(stream.IsClosed);
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("TURN-C4")]
    public void ConnectionThatNobodyBinds_IsClosedAfterThirtySeconds()
    {
        var client = Allocated();
        client.CreatePermission("203.0.113.9");
        var (opened, accepted) = (new FakePeerStream(), new FakePeerStream());
        Connect(client, Peer);
        var id = Id(Complete(opened));
        _bench.PeerConnects(client, "203.0.113.9:8000", accepted);

        _bench.Advance(29.9);
        _bench.Sweep();
        Assert.False(opened.IsClosed || accepted.IsClosed);
        _bench.Advance(0.1);
        _bench.Sweep();
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
        var stream = new FakePeerStream();

        Assert.Null(_bench.PeerConnects(client, Peer, stream));
        Assert.True(stream.IsClosed);
    }

    [Fact]
    [Requirement("RFC6062-5.3")]
    [Requirement("TURN-C5")]
    public void PeerWithPermission_IsAnnounced_AndCanBeBound()
    {
        var client = Allocated();
        client.CreatePermission("203.0.113.9");
        var attempt = _bench.PeerConnects(client, Peer, new FakePeerStream())!;

        Assert.Equal((StunMethod.ConnectionAttempt, StunClass.Indication), (attempt.Message.Method, attempt.Message.Class));
        Assert.Equal(Peer, attempt.Address(StunAttributeType.XorPeerAddress).ToString());
        Assert.True(Bind(NewClient(), Id(attempt))!.IsSuccess);

        _bench.Advance(300);
        var late = new FakePeerStream();
        Assert.Null(_bench.PeerConnects(client, "203.0.113.9:8000", late));
        Assert.True(late.IsClosed);
    }

    [Fact]
    [Requirement("RFC6062-5.4")]
    [Requirement("TURN-C6")]
    public void ConnectionBind_TakesAConnectionOnce_AndItLivesOn()
    {
        var client = Allocated();
        var stream = new FakePeerStream();
        Connect(client, Peer);
        var id = Id(Complete(stream));
        var data = NewClient();
        var answer = Bind(data, id)!;

        Assert.True(answer.IsSuccess);
        Assert.True(data.Verifies(answer));
        Assert.Same(stream, _bench.Connection!.Stream);
        Assert.Equal(StunError.BadRequest, Bind(NewClient(), id)!.Error);
        _bench.Advance(60);
        _bench.Sweep();
        Assert.False(stream.IsClosed);
    }

    [Fact]
    [Requirement("RFC6062-5.4")]
    [Requirement("TURN-C6")]
    public void ConnectionBind_MayComeWithTheNonceOfTheControlConnection_AndWithNobodyElses()
    {
        var client = Allocated();
        Connect(client, Peer);
        var id = Id(Complete(new FakePeerStream()));
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
        var id = Id(Complete(new FakePeerStream()));

        Assert.Equal(StunError.BadRequest, Bind(_bench.NewClient(), id)!.Error);
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
        var id = Id(Complete(new FakePeerStream()));

        Assert.Equal(
            StunError.WrongCredentials, Bind(_bench.NewClient(TestCredential.Password("bob", "secret"), ClientTransport.Tcp), id)!.Error);
        Assert.Equal(
            StunError.Unauthenticated, Bind(_bench.NewClient(TestCredential.Password("alice", "wrong"), ClientTransport.Tcp), id)!.Error);
        Assert.True(Bind(NewClient(), id)!.IsSuccess);
    }

    [Fact]
    [Requirement("RFC6062-5.4")]
    [Requirement("RFC7635-9")]
    [Requirement("TURN-C6")]
    public void ConnectionBind_UnderAToken_IsProvedWithItsSessionKey()
    {
        var token = _bench.NewToken();
        var client = _bench.NewClient(token.Native, ClientTransport.Tcp);
        client.Allocate(TcpTransport);
        Connect(client, Peer);
        var id = Id(Complete(new FakePeerStream()));

        Assert.Equal(StunError.Unauthenticated, Bind(_bench.NewClient(_bench.NewToken().Native, ClientTransport.Tcp), id)!.Error);
        Assert.True(Bind(_bench.NewClient(token.Native, ClientTransport.Tcp), id)!.IsSuccess);
    }

    [Fact]
    [Requirement("RFC6062-5.2")]
    [Requirement("RFC6062-5.4")]
    [Requirement("TURN-C6")]
    public void ConnectionBind_ComesInTime_AlsoBetweenTwoSweeps()
    {
        var client = Allocated();
        Connect(client, Peer);
        var late = Id(Complete(new FakePeerStream()));
        _bench.Advance(30);
        Assert.Equal(StunError.BadRequest, Bind(NewClient(), late)!.Error);

        _bench.Advance(560);
        Connect(client, "203.0.113.9:7001");
        var ofEnded = Id(Complete(new FakePeerStream()));
        _bench.Advance(10);
        Assert.Equal(StunError.BadRequest, Bind(NewClient(), ofEnded)!.Error);
    }

    [Fact]
    [Requirement("RFC6062-5.4")]
    [Requirement("TURN-C6")]
    public void ConnectionBind_FromWhereAnotherWorkersClientHasMoved_IsABadRequest()
    {
        var mobile = new MobileAllocations(new MobilityTickets(new byte[32]));
        var bench = new EngineBench(new EngineSettings { TcpRelays = true }, mobile: mobile);
        var client = bench.NewClient(transport: ClientTransport.Tcp);
        client.Allocate(TcpTransport);
        Connect(client, Peer);
        var id = Id(TestClient.Answered(bench.CompleteConnect(bench.Connection!, new FakePeerStream())));
        var taken = bench.NewFlow(ClientTransport.Tcp);
        mobile.Add(taken, engine: 1);

        Assert.Equal(StunError.BadRequest, Bind(new TestClient(bench, taken, client.Credential), id)!.Error);
        Assert.True(Bind(bench.NewClient(transport: ClientTransport.Tcp), id)!.IsSuccess);
    }

    [Fact]
    [Requirement("TURN-D3")]
    [Requirement("TURN-C3")]
    public void MobileClient_IsAtItsNewStreamAtOnce_ForNoDataCouldComeByIt()
    {
        var (bench, client, ticket) = Mobile();
        var moved = new TestClient(bench, bench.NewFlow(ClientTransport.Tls), client.Credential);

        Assert.True(Move(moved, ticket).IsSuccess);
        Assert.Equal(moved.Flow, client.Allocation.FiveTuple);
        Assert.Null(Connect(moved, Peer));
        Assert.True(TestClient.Answered(bench.CompleteConnect(bench.Connection!, new FakePeerStream())).IsSuccess);
    }

    [Theory]
    [InlineData(nameof(ClientTransport.Udp))]
    [InlineData(nameof(ClientTransport.Dtls))]
    [Requirement("RFC6062-5.1")]
    [Requirement("TURN-D2")]
    public void MobileClient_MovesToStreamsAlone(string transport)
    {
        var (bench, client, ticket) = Mobile();

        Assert.Equal(
            StunError.BadRequest,
            Move(new TestClient(bench, bench.NewFlow(Enum.Parse<ClientTransport>(transport)), client.Credential), ticket).Error);
        Assert.Equal(client.Flow, client.Allocation.FiveTuple);
    }

    [Fact]
    [Requirement("RFC6062-5.5")]
    [Requirement("TURN-C7")]
    public void AllocationsEnd_ClosesAllItsConnections_BoundOrNot()
    {
        Action<TestClient>[] ends =
        [
            client => client.Refresh(0),
            client => _bench.Engine.StreamClosed(client.Flow),
            _ =>
            {
                _bench.Advance(601);
                _bench.Sweep();
            },
        ];
        foreach (var end in ends)
        {
            var client = Allocated();
            var (bound, unbound, late) = (new FakePeerStream(), new FakePeerStream(), new FakePeerStream());
            Connect(client, Peer);
            Bind(NewClient(), Id(Complete(bound)));
            Connect(client, "203.0.113.9:7001");
            var id = Id(Complete(unbound));
            Connect(client, "203.0.113.9:7002");
            var connecting = _bench.Connection!;

            end(client);
            _bench.CloseWhatEnded();
            Assert.True(bound.IsClosed && unbound.IsClosed);
            Assert.Null(_bench.CompleteConnect(connecting, late));
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
        var bench = new EngineBench();
        var client = bench.NewClient(transport: ClientTransport.Tcp);
        client.Allocate();

        Assert.Null(client.Request(StunMethod.Connect));
        Assert.Null(client.Request(StunMethod.ConnectionBind));
        Assert.Equal(DropReason.UnexpectedMessage, bench.LastDrop);
    }

    internal static void TcpTransport(ref StunMessageWriter request) => request.Write(StunAttributeType.RequestedTransport, [6, 0, 0, 0]);

    private static uint Id(Answer answer)
    {
        Assert.True(answer.Message.TryGetUInt32(StunAttributeType.ConnectionId, out var id));
        return id;
    }

    private static Answer? Connect(TestClient client, string? peer) => client.Request(
        StunMethod.Connect,
        (ref StunMessageWriter request) =>
        {
            if (peer is not null) request.WriteXorAddress(StunAttributeType.XorPeerAddress, TestClient.Peer(peer));
        });

    private static Answer? Bind(TestClient client, uint id) => client.Request(
        StunMethod.ConnectionBind, (ref StunMessageWriter request) => request.WriteUInt32(StunAttributeType.ConnectionId, id));

    private static (EngineBench Bench, TestClient Client, byte[] Ticket) Mobile()
    {
        var bench =
            new EngineBench(new EngineSettings { TcpRelays = true }, mobile: new MobileAllocations(new MobilityTickets(new byte[32])));
        var client = bench.NewClient(transport: ClientTransport.Tcp);
        var answer = client.Allocate((ref StunMessageWriter request) =>
        {
            TcpTransport(ref request);
            request.Write(StunAttributeType.MobilityTicket, []);
        });
        return (bench, client, answer.Value(StunAttributeType.MobilityTicket));
    }

    private static Answer Move(TestClient client, byte[] ticket) => TestClient.Answered(client.Request(
        StunMethod.Refresh, (ref StunMessageWriter request) => request.Write(StunAttributeType.MobilityTicket, ticket)));

    private Answer Complete(FakePeerStream stream) => TestClient.Answered(_bench.CompleteConnect(_bench.Connection!, stream));

    private TestClient NewClient() => _bench.NewClient(transport: ClientTransport.Tcp);

    private TestClient Allocated()
    {
        var client = NewClient();
        client.Allocate(TcpTransport);
        return client;
    }
}
