using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>What the engine tells its host: the method and result of each request, why an allocation ended, and what it relayed.</summary>
public sealed class OutcomeTests
{
    private const string Peer = "203.0.113.9:7000";

    private readonly EngineFixture _fixture = new(
        new EngineSettings { RelaysIPv6 = true, TcpRelays = true }, mobile: new MobileAllocations(new MobilityTickets(new byte[32])));

    [Theory]
    [InlineData(StunMethod.Refresh)]
    [InlineData(StunMethod.CreatePermission)]
    [InlineData(StunMethod.ChannelBind)]
    [InlineData(StunMethod.Connect)]
    internal void AnsweredRequest_HasItsMethodResultAndAllocation(StunMethod method)
    {
        var client = _fixture.NewClient(transport: ClientTransport.Tcp);
        client.Allocate(method == StunMethod.Connect ? StunRequest.TcpTransport : null);
        var outcome = _fixture.Route(client.Build(method), client.Flow);

        Assert.Equal(OutcomeKind.Reply, outcome.Kind);
        Assert.Equal(method, outcome.Method);
        Assert.Equal(method == StunMethod.Refresh ? StunError.None : StunError.BadRequest, outcome.Error);
        Assert.Same(client.Allocation, outcome.Allocation);
    }

    [Fact]
    public void BindingAndChallenge_HaveNoAllocation()
    {
        var flow = _fixture.NewFlow();
        var binding = _fixture.Route(StunRequest.Plain(StunMethod.Binding), flow);
        var challenge = _fixture.Route(StunRequest.Plain(StunMethod.Allocate), flow);

        Assert.Equal((StunMethod.Binding, StunError.None), (binding.Method, binding.Error));
        Assert.Equal((StunMethod.Allocate, StunError.Unauthenticated), (challenge.Method, challenge.Error));
        Assert.Null(binding.Allocation ?? challenge.Allocation);
    }

    [Fact]
    public void CompletedAllocate_HasItsAllocation_AndARefusedOneItsError()
    {
        var client = _fixture.NewClient();
        client.Nonce = client.Challenge().Challenge.Nonce;
        Outcome Decide(AllocationDecision decision) => _fixture.Engine.Complete(
            _fixture.Route(client.Build(StunMethod.Allocate, StunRequest.UdpTransport), client.Flow).Pending!,
            decision, _fixture.Time, new byte[TurnEngine.ReplyBufferLength]);

        var refused = Decide(new AllocationDecision(StunError.AllocationQuotaReached));
        Assert.Equal((StunMethod.Allocate, StunError.AllocationQuotaReached), (refused.Method, refused.Error));
        Assert.Null(refused.Allocation);
        var made = Decide(AllocationDecision.Of(new FakeRelay(EngineClient.Peer("192.0.2.1:50000"))));
        Assert.Equal((StunMethod.Allocate, StunError.None), (made.Method, made.Error));
        Assert.Same(Assert.Single(_fixture.Engine.Allocations), made.Allocation);
    }

    [Fact]
    public void CompletedConnect_HasItsResultAndAllocation()
    {
        var client = TcpClient();
        Outcome Connect(PeerTransport? stream)
        {
            Assert.Null(client.Request(StunMethod.Connect, StunRequest.Peer(EngineClient.Peer(Peer).ToIPEndPoint())));
            return _fixture.Engine.CompleteConnect(
                _fixture.Connection!, stream, _fixture.Time, new byte[TurnEngine.ReplyBufferLength]);
        }

        var failed = Connect(null);
        Assert.Equal((StunMethod.Connect, StunError.ConnectionTimeoutOrFailure), (failed.Method, failed.Error));
        Assert.Same(client.Allocation, failed.Allocation);
        var connected = Connect(new FakePeerTransport());
        Assert.Equal((StunMethod.Connect, StunError.None), (connected.Method, connected.Error));
        Assert.Same(client.Allocation, connected.Allocation);
    }

    /// <summary>A client that uses FINGERPRINT finds it in every answer (RFC 8489 §14.7).</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("RFC8489-14.7")]
    public void Fingerprint_IsInTheAnswer_IfItIsInTheRequest(bool isWanted)
    {
        var client = _fixture.NewClient(transport: ClientTransport.Tcp);
        client.Credential = client.Credential with
        {
            AfterIntegrity = isWanted ? (ref StunMessageWriter request) => request.AddFingerprint() : null,
        };
        void Expect(StunAnswer? answer)
        {
            Assert.Equal(isWanted, EngineClient.Answered(answer).Message.HasFingerprint);
            Assert.True(answer!.Message.FingerprintIsAbsentOrRight);
        }

        _fixture.Decision = StunError.AllocationQuotaReached;
        Expect(client.TryAllocate());
        _fixture.Decision = StunError.None;
        Expect(client.Allocate(StunRequest.TcpTransport));
        Expect(client.TryAllocate());
        Expect(client.Refresh());
        Expect(client.CreatePermission(Peer));
        Expect(client.CreatePermission("127.0.0.1:1"));
        Assert.Null(client.Request(StunMethod.Connect, StunRequest.Peer(EngineClient.Peer(Peer).ToIPEndPoint())));
        Expect(_fixture.CompleteConnect(_fixture.Connection!, null));
        client.Nonce = Encoding.ASCII.GetBytes(new string('x', 40));
        Expect(client.Request(StunMethod.Refresh));
    }

    /// <summary>A retransmission may come with FINGERPRINT and the first request without.</summary>
    [Fact]
    [Requirement("RFC8489-14.7")]
    public void RetransmittedAllocate_IsAnsweredByItsOwnFingerprint()
    {
        var client = _fixture.NewClient();
        client.Nonce = client.Challenge().Challenge.Nonce;
        var transaction = StunRequest.NewTransaction();
        Assert.False(_fixture.Send(Build(), client.Flow)!.Message.HasFingerprint);
        client.Credential = client.Credential with { AfterIntegrity = (ref StunMessageWriter request) => request.AddFingerprint() };
        Assert.True(_fixture.Send(Build(), client.Flow)!.Message.HasFingerprint);

        byte[] Build() => client.Build(StunMethod.Allocate, StunRequest.UdpTransport, transaction: transaction);
    }

    [Fact]
    public void EndOfAnAllocation_HasItsReason()
    {
        EngineClient Allocated(ClientTransport transport = ClientTransport.Udp)
        {
            var client = _fixture.NewClient(transport: transport);
            client.Allocate();
            return client;
        }

        var (deleted, closed, expired) = (Allocated(), Allocated(ClientTransport.Tcp), Allocated());
        Assert.Equal(AllocationEnd.None, deleted.Allocation.End);
        deleted.Refresh(0);
        _fixture.Engine.StreamClosed(closed.Flow);
        _fixture.Advance(600);
        _fixture.Sweep();
        var stopped = Allocated();

        Assert.Equal(AllocationEnd.Deleted, deleted.Allocation.End);
        Assert.Equal(AllocationEnd.StreamClosed, closed.Allocation.End);
        Assert.Equal(AllocationEnd.Expired, expired.Allocation.End);
        _fixture.Engine.EndAll();
        Assert.Equal(AllocationEnd.ServerStopped, stopped.Allocation.End);
    }

    /// <summary>Between two sweeps the next packet of the client ends what has expired.</summary>
    [Fact]
    [Requirement("RFC8656-7.2")]
    public void ExpiryBetweenTwoSweeps_EndsTheAllocationWithItsReason()
    {
        var client = _fixture.NewClient();
        client.Allocate();
        _fixture.Advance(600);

        Assert.Equal(DropReason.NoAllocation, client.Send(Peer, [1]).DropReason);
        Assert.Equal(AllocationEnd.Expired, client.Allocation.End);
        Assert.Same(client.Allocation, Assert.Single(_fixture.Engine.Ended));
    }

    [Fact]
    [Requirement("RFC8656-7.2")]
    public void PeersDatagram_AndIcmp_AfterTheEnd_FindNoAllocation()
    {
        var client = _fixture.NewClient();
        client.Allocate();
        _fixture.Advance(400);
        client.CreatePermission(Peer);
        _fixture.Advance(199.999);
        Assert.NotNull(_fixture.FromPeer(client, Peer, [1]));
        Assert.Equal(OutcomeKind.ToClient, Icmp().Kind);
        _fixture.Advance(0.001);

        Assert.Null(_fixture.FromPeer(client, Peer, [1]));
        Assert.Equal(DropReason.NoAllocation, _fixture.LastDrop);
        Assert.Equal(DropReason.NoAllocation, Icmp().DropReason);

        Outcome Icmp() => _fixture.Engine.HandleIcmp(
            client.Allocation, EngineClient.Peer(Peer), new IcmpError(3, 3, 0), _fixture.Time, new byte[TurnEngine.ReplyBufferLength]);
    }

    [Fact]
    public void IcmpThatIsNotRelayed_HasItsReason()
    {
        var client = _fixture.NewClient();
        client.Allocate();
        client.CreatePermission(Peer);
        Outcome Icmp(string peer, byte type) => _fixture.Engine.HandleIcmp(
            client.Allocation, EngineClient.Peer(peer), new IcmpError(type, 0, 0), _fixture.Time, new byte[TurnEngine.ReplyBufferLength]);

        Assert.Equal(DropReason.NoPermission, Icmp("203.0.113.10:7000", 3).DropReason);
        Assert.Equal(DropReason.UnexpectedMessage, Icmp(Peer, 8).DropReason);
        Assert.Same(client.Allocation, Icmp(Peer, 3).Allocation);
    }

    [Fact]
    [Requirement("RFC8656-11.5")]
    [Requirement("RFC8656-18.13")]
    public void IcmpTypes_AreThoseOfTheirFamily()
    {
        bool[] Relayed(StunAddressFamily family) =>
            [.. Enumerable.Range(0, 13).Select(type => new IcmpError((byte)type, 0, 0).IsForClients(family))];

        Assert.Equal([3, 11], Relayed(StunAddressFamily.IPv4).Index().Where(type => type.Item).Select(type => type.Index));
        Assert.Equal([1, 2, 3], Relayed(StunAddressFamily.IPv6).Index().Where(type => type.Item).Select(type => type.Index));
        Assert.Equal(0u, new IcmpError(11, 4, 1280).ErrorData(StunAddressFamily.IPv4));
        Assert.Equal(0u, new IcmpError(2, 4, 1280).ErrorData(StunAddressFamily.IPv4));
        Assert.Equal(1280u, new IcmpError(3, 4, 1280).ErrorData(StunAddressFamily.IPv4));
    }

    [Fact]
    public void Totals_CountDatagramsOctetsAndDrops()
    {
        var client = _fixture.NewClient();
        client.Allocate();
        client.ChannelBind(0x4000, Peer);
        client.SendOnChannel(0x4000, new byte[10]);
        client.Send(Peer, new byte[5]);
        _fixture.FromPeer(client, Peer, new byte[7]);
        _fixture.FromPeer(client, "203.0.113.10:1", new byte[7]);
        client.Send("203.0.113.10:1", new byte[7]);
        client.SendOnChannel(0x4001, new byte[7]);

        var totals = client.Allocation.Totals;
        Assert.Equal((2, 15), (totals.PacketsToPeers, totals.BytesToPeers));
        Assert.Equal((1, 7), (totals.PacketsToClient, totals.BytesToClient));
        Assert.Equal(2, totals.Drops(DropReason.NoPermission));
        Assert.Equal(1, totals.Drops(DropReason.UnboundChannel));
        Assert.Equal(0, totals.Drops(DropReason.Malformed));
    }

    [Fact]
    public void Client_IsKnown_WhileAnythingOfItIsHere()
    {
        var (client, waiting) = (_fixture.NewClient(), _fixture.NewClient());
        Assert.False(_fixture.Engine.Knows(client.Flow));
        client.Allocate(StunRequest.UdpWith(StunAttributeType.MobilityTicket));
        Assert.True(_fixture.Engine.Knows(client.Flow));

        _fixture.Waiting = [];
        waiting.TryAllocate();
        Assert.True(_fixture.Engine.Knows(waiting.Flow));
        _fixture.Engine.EndAll();
        Assert.False(_fixture.Engine.Knows(waiting.Flow) || _fixture.Engine.Knows(client.Flow));
    }

    [Fact]
    public void MovedClient_IsKnownByBothItsFiveTuples()
    {
        var client = _fixture.NewClient();
        var ticket = client.Allocate(StunRequest.UdpWith(StunAttributeType.MobilityTicket)).Value(StunAttributeType.MobilityTicket);
        var moved = new EngineClient(_fixture, _fixture.NewFlow(), client.Credential);
        Assert.False(_fixture.Engine.Knows(moved.Flow));
        moved.Request(StunMethod.Refresh, StunRequest.Value(StunAttributeType.MobilityTicket, ticket));

        Assert.True(_fixture.Engine.Knows(client.Flow) && _fixture.Engine.Knows(moved.Flow));
    }

    private EngineClient TcpClient()
    {
        var client = _fixture.NewClient(transport: ClientTransport.Tcp);
        client.Allocate(StunRequest.TcpTransport);
        return client;
    }
}
