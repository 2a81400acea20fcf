using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>Moves of a mobile client with tokens, over streams, several times, and to the millisecond (RFC 8016).</summary>
public sealed class MoveTests
{
    private const string Peer = "203.0.113.9:7000";

    private readonly MobileAllocations _mobile = new(new MobilityTickets(new byte[32]));
    private readonly EngineFixture _fixture;

    public MoveTests() => _fixture = new EngineFixture(mobile: _mobile);

    [Fact]
    [Requirement("TURN-D2")]
    [Requirement("RFC7635-9")]
    public void ClientWithAToken_MovesUnderTheAllocationsKey()
    {
        var (client, ticket) = NewClient(_fixture.NewToken().Native);

        Assert.True(Move(Elsewhere(client), ticket, withToken: false).IsSuccess);
    }

    [Fact]
    [Requirement("TURN-D2")]
    [Requirement("RFC7635-9")]
    public void ClientWithAnExpiredToken_IsUnauthenticated_NotAStranger()
    {
        var (client, ticket) = NewClient(_fixture.NewToken().Native);
        var moved = Elsewhere(client);
        moved.Credential = _fixture.NewToken(age: 700).Native;

        Assert.Equal(StunError.Unauthenticated, Move(moved, ticket).Error);
        Assert.Equal(client.Flow, client.Allocation.FiveTuple);
    }

    [Fact]
    [Requirement("TURN-D2")]
    public void MalformedMove_IsABadRequest_NotAStrangers()
    {
        var (client, ticket) = NewClient();
        var moved = Elsewhere(client);
        moved.Credential = moved.Credential with { Realm = [] };

        Assert.Equal(StunError.BadRequest, Move(moved, ticket).Error);
    }

    [Fact]
    [Requirement("TURN-D2")]
    public void TicketThatIsNotGenuine_IsRefusedUnderTheKeyOfTheAllocationThatIsThere()
    {
        var (client, _) = NewClient(_fixture.NewToken().Native);
        var answer = Move(client, new byte[MobilityTickets.Length], withToken: false);

        Assert.Equal(StunError.BadRequest, answer.Error);
        Assert.True(client.Verifies(answer));
    }

    [Fact]
    [Requirement("TURN-D2")]
    [Requirement("RFC8489-6.3.1")]
    public void UnknownAttributeBesideTheTicket_MovesNothing()
    {
        var (client, ticket) = NewClient();
        var moved = Elsewhere(client);
        var answer = EngineClient.Answered(moved.Request(
            StunMethod.Refresh, StunRequest.All(Ticket(ticket), StunRequest.Value((StunAttributeType)0x7FFF))));

        Assert.Equal(StunError.UnknownAttribute, answer.Error);
        Assert.Equal(client.Flow, client.Allocation.FiveTuple);
        Assert.True(Move(moved, ticket).IsSuccess);
    }

    [Fact]
    [Requirement("TURN-D2")]
    public void TicketOfAnotherAllocation_FromAClientThatHasOne_IsAMismatch_UnderTheKeyOfTheTicketsAllocation()
    {
        var (client, ticket) = NewClient(_fixture.NewToken().Native);
        var (other, _) = NewClient(_fixture.NewToken().Native);
        other.Credential = client.Credential;
        var answer = Move(other, ticket, withToken: false);

        Assert.Equal(StunError.AllocationMismatch, answer.Error);
        Assert.True(other.Verifies(answer));
        Assert.Equal(client.Flow, client.Allocation.FiveTuple);
    }

    /// <summary>The 5-tuple has an allocation here, so the request is for this engine.</summary>
    [Fact]
    [Requirement("TURN-D2")]
    public void TicketOfAnotherEngine_FromAClientThatHasAnAllocationHere_IsAMismatch_AndNotHandedOver()
    {
        var (_, ticket) = NewClient();
        var there = new EngineFixture(mobile: _mobile, number: 1);
        var client = there.NewClient();
        client.Allocate();

        Assert.Equal(StunError.AllocationMismatch, EngineClient.Answered(client.Request(StunMethod.Refresh, Ticket(ticket))).Error);
    }

    [Theory]
    [InlineData(29.999, true)]
    [InlineData(30, false)]
    [Requirement("TURN-D3")]
    public void Retransmission_GetsItsAnswerAgain_UntilThirtySecondsAreOver(double seconds, bool isAnswered)
    {
        var (client, ticket) = NewClient();
        var moved = Elsewhere(client);
        moved.Nonce = moved.Challenge().Challenge.Nonce;
        var request = moved.Build(StunMethod.Refresh, Ticket(ticket));
        var first = _fixture.Send(request, moved.Flow)!;
        _fixture.Advance(seconds);
        var second = _fixture.Send(request, moved.Flow)!;

        if (isAnswered) Assert.Equal(first.Octets, second.Octets);
        else Assert.Equal(StunError.BadRequest, second.Error);
    }

    [Fact]
    [Requirement("TURN-D3")]
    public void RetransmissionOfAnEarlierMove_IsABadRequest()
    {
        var (client, ticket) = NewClient();
        var second = Elsewhere(client);
        second.Nonce = second.Challenge().Challenge.Nonce;
        var request = second.Build(StunMethod.Refresh, Ticket(ticket));
        var third = Elsewhere(client);
        var fourth = Move(third, _fixture.Send(request, second.Flow)!.Value(StunAttributeType.MobilityTicket));
        Assert.True(Move(second, fourth.Value(StunAttributeType.MobilityTicket)).IsSuccess);

        Assert.Equal(StunError.BadRequest, _fixture.Send(request, second.Flow)!.Error);
    }

    [Fact]
    [Requirement("TURN-D2")]
    public void TicketOfAnAllocationAtItsEnd_IsAMismatch()
    {
        var (client, ticket) = NewClient();
        _fixture.Advance(599.999);
        var inTime = Move(Elsewhere(client), ticket, lifetime: 600);
        Assert.True(inTime.IsSuccess);

        _fixture.Advance(600);
        Assert.Equal(StunError.AllocationMismatch, Move(Elsewhere(client), inTime.Value(StunAttributeType.MobilityTicket)).Error);
        Assert.Equal(AllocationEnd.Expired, client.Allocation.End);
    }

    [Fact]
    [Requirement("TURN-D3")]
    public void ClientThatMovesTwiceWithData_LeavesNeitherOfTheOldFiveTuples()
    {
        var (client, ticket) = NewClient();
        var (second, third) = (Elsewhere(client), Elsewhere(client));
        var next = Move(second, ticket).Value(StunAttributeType.MobilityTicket);
        Assert.Equal(OutcomeKind.ToPeer, second.Send(Peer, [1]).Kind);
        Assert.Equal(1, _mobile.FlowCount);
        Move(third, next);
        Assert.Equal(2, _mobile.FlowCount);
        Assert.Equal(OutcomeKind.ToPeer, third.Send(Peer, [1]).Kind);

        Assert.Equal(1, _mobile.FlowCount);
        Assert.False(_fixture.Engine.Knows(client.Flow) || _fixture.Engine.Knows(second.Flow));
        Assert.Equal(third.Flow, client.Allocation.FiveTuple);
    }

    [Fact]
    [Requirement("TURN-D3")]
    public void NewStreamThatEndsBeforeAnyData_LeavesTheOldOne()
    {
        var (client, ticket) = NewClient(transport: ClientTransport.Tcp);
        var moved = Elsewhere(client, ClientTransport.Tls);
        var next = Move(moved, ticket).Value(StunAttributeType.MobilityTicket);
        _fixture.Engine.StreamClosed(moved.Flow);

        Assert.False(_fixture.Engine.Knows(moved.Flow));
        Assert.Equal(0, _mobile.FlowCount);
        Assert.Equal(OutcomeKind.ToPeer, client.Send(Peer, [1]).Kind);
        Assert.NotSame(ClientPath.Closed, client.Allocation.Path);
        Assert.True(Move(Elsewhere(client), next).IsSuccess);
    }

    [Fact]
    [Requirement("TURN-D2")]
    public void ClientWithAnAllocateUnderWay_MovesAfterItsAnswer()
    {
        var (client, ticket) = NewClient();
        var moved = Elsewhere(client);
        _fixture.Waiting = [];
        moved.TryAllocate();

        Assert.Equal(DropReason.Busy, _fixture.Route(moved.Build(StunMethod.Refresh, Ticket(ticket)), moved.Flow).DropReason);

        // A ticket that is not genuine says nothing about this 5-tuple, so it is answered at once.
        Assert.Equal(StunError.BadRequest, Move(moved, new byte[MobilityTickets.Length]).Error);
    }

    [Fact]
    [Requirement("TURN-D4")]
    public void TicketOfAnotherKey_IsNotOpened()
    {
        var tickets = new MobilityTickets(new byte[32]);

        var foreign = new MobilityTickets([.. Enumerable.Repeat((byte)1, 32)]).Seal(5, 7);
        Assert.False(tickets.TryOpen(foreign, out var allocation, out var move));
        Assert.Equal((0ul, 0u), (allocation, move));
        Assert.False(tickets.TryOpen(Encoding.ASCII.GetBytes("short"), out _, out _));
    }

    private (EngineClient Client, byte[] Ticket) NewClient(
        StunCredential? credential = null, ClientTransport transport = ClientTransport.Udp)
    {
        var client = _fixture.NewClient(credential, transport);
        var ticket = client.Allocate(StunRequest.UdpWith(StunAttributeType.MobilityTicket)).Value(StunAttributeType.MobilityTicket);
        Assert.True(client.CreatePermission(Peer).IsSuccess);
        return (client, ticket);
    }

    private EngineClient Elsewhere(EngineClient client, ClientTransport transport = ClientTransport.Udp) =>
        new(_fixture, _fixture.NewFlow(transport), client.Credential);

    private static StunAnswer Move(EngineClient client, byte[] ticket, bool withToken = true, uint? lifetime = null) =>
        EngineClient.Answered(client.Request(
            StunMethod.Refresh,
            StunRequest.All(Ticket(ticket), lifetime is { } seconds ? StunRequest.Lifetime(seconds) : null),
            withToken));

    private static WriteAttributes Ticket(byte[] ticket) => StunRequest.Value(StunAttributeType.MobilityTicket, ticket);
}
