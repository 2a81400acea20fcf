using System.Security.Cryptography;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>Clients that change their address and keep their allocation (RFC 8016).</summary>
public sealed class MobilityTests
{
    private const string Peer = "203.0.113.9:7000";

    private static readonly byte[] TicketKey = RandomNumberGenerator.GetBytes(32);

    private readonly MobileAllocations _mobile = new(new MobilityTickets(TicketKey));
    private readonly EngineFixture _fixture;

    public MobilityTests() => _fixture = new EngineFixture(mobile: _mobile);

    [Fact]
    [Requirement("TURN-D1")]
    public void Allocate_WithAnEmptyTicket_GetsATicket_WithoutOneNone()
    {
        var answer = _fixture.NewClient().Allocate(Ticket([]));

        Assert.Equal(MobilityTickets.Length, answer.Value(StunAttributeType.MobilityTicket).Length);
        Assert.False(_fixture.NewClient().Allocate().Has(StunAttributeType.MobilityTicket));
    }

    [Fact]
    [Requirement("TURN-D1")]
    public void Allocate_WithAFilledTicket_IsABadRequest() =>
        Assert.Equal(StunError.BadRequest, _fixture.NewClient().TryAllocate(Ticket(new byte[MobilityTickets.Length]))!.Error);

    [Fact]
    [Requirement("TURN-D1")]
    [Requirement("TURN-D2")]
    public void WhereMobilityIsForbidden_BothRequestsGet405()
    {
        var fixture = new EngineFixture();
        var client = fixture.NewClient();

        Assert.Equal(StunError.MobilityForbidden, client.TryAllocate(Ticket([]))!.Error);
        client.Allocate();
        var refused = client.Request(StunMethod.Refresh, JustTicket(new byte[MobilityTickets.Length]))!;
        Assert.Equal(StunError.MobilityForbidden, refused.Error);
        Assert.True(client.Verifies(refused));
    }

    [Fact]
    [Requirement("TURN-D2")]
    [Requirement("TURN-D3")]
    public void Refresh_WithTheTicketFromElsewhere_KeepsTheRelay_AndGivesAnotherTicket()
    {
        var (client, ticket) = NewMobileClient();
        var moved = Elsewhere(client);
        var answer = Move(moved, ticket);

        Assert.True(answer.IsSuccess);
        Assert.Equal(600u, answer.Lifetime);
        Assert.True(moved.Verifies(answer));
        Assert.NotEqual(ticket, answer.Value(StunAttributeType.MobilityTicket));
        Assert.Single(_fixture.Relays);
        Assert.Equal(1, _fixture.Engine.AllocationCount);
        Assert.Equal(OutcomeKind.ToPeer, moved.Send(Peer, [1]).Kind);
    }

    [Fact]
    [Requirement("TURN-D3")]
    public void OldFiveTuple_Serves_UntilDataArrivesOnTheNewOne()
    {
        var (client, ticket) = NewMobileClient();
        client.ChannelBind(0x4000, Peer);
        var moved = Elsewhere(client);
        Move(moved, ticket);

        // Requests by the new way are answered, and do not end the old one.
        Assert.True(moved.CreatePermission(Peer).IsSuccess);
        Assert.Equal(OutcomeKind.ToPeer, client.SendOnChannel(0x4000, [1]).Kind);
        Assert.NotNull(_fixture.FromPeer(client, Peer, [2]));
        Assert.Equal(client.Flow, client.Allocation.FiveTuple);

        Assert.Equal(OutcomeKind.ToPeer, moved.SendOnChannel(0x4000, [3]).Kind);
        Assert.Equal(moved.Flow, client.Allocation.FiveTuple);
        Assert.Equal(OutcomeKind.Drop, client.SendOnChannel(0x4000, [4]).Kind);
        Assert.Equal(DropReason.NoAllocation, _fixture.LastDrop);
        Assert.Equal(StunError.AllocationMismatch, client.CreatePermission(Peer).Error);
        Assert.Equal(1, _fixture.Engine.AllocationCount);
    }

    [Fact]
    [Requirement("TURN-D3")]
    public void SendIndication_OnTheNewFiveTuple_EndsTheOldOne_ButOneWithoutPermissionDoesNot()
    {
        var (client, ticket) = NewMobileClient();
        var moved = Elsewhere(client);
        Move(moved, ticket);

        Assert.Equal(OutcomeKind.Drop, moved.Send("203.0.113.77:1", [1]).Kind);
        Assert.Equal(client.Flow, client.Allocation.FiveTuple);
        Assert.Equal(OutcomeKind.ToPeer, moved.Send(Peer, [1]).Kind);
        Assert.Equal(moved.Flow, client.Allocation.FiveTuple);
    }

    [Fact]
    [Requirement("TURN-D3")]
    public void RetransmittedRefresh_GetsItsAnswerAgainForThirtySeconds_AnotherWithTheOldTicketDoesNot()
    {
        var (client, ticket) = NewMobileClient();
        var moved = Elsewhere(client);
        moved.Nonce = moved.Challenge().Value(StunAttributeType.Nonce);
        var request = moved.Build(StunMethod.Refresh, JustTicket(ticket));
        var first = _fixture.Send(request, moved.Flow)!;
        _fixture.Advance(29.9);

        Assert.Equal(first.Octets, _fixture.Send(request, moved.Flow)!.Octets);
        Assert.Equal(StunError.BadRequest, Move(moved, ticket).Error);
        Assert.Equal(StunError.BadRequest, Move(Elsewhere(client), ticket).Error);
        _fixture.Advance(0.2);
        Assert.Equal(StunError.BadRequest, _fixture.Send(request, moved.Flow)!.Error);
    }

    [Fact]
    [Requirement("TURN-D2")]
    public void TicketFromWhereTheClientIs_IsABadRequest()
    {
        var (client, ticket) = NewMobileClient();
        Assert.Equal(StunError.BadRequest, Move(client, ticket).Error);

        var moved = Elsewhere(client);
        var next = Move(moved, ticket).Value(StunAttributeType.MobilityTicket);
        Assert.Equal(StunError.BadRequest, Move(moved, next).Error);
    }

    [Fact]
    [Requirement("TURN-D3")]
    public void ClientThatMovesBackBeforeAnyData_IsWhereItWas()
    {
        var (client, ticket) = NewMobileClient();
        var moved = Elsewhere(client);
        var back = Move(client, Move(moved, ticket).Value(StunAttributeType.MobilityTicket));

        Assert.True(back.IsSuccess);
        Assert.Equal(OutcomeKind.Drop, moved.Send(Peer, [1]).Kind);
        Assert.Equal(OutcomeKind.ToPeer, client.Send(Peer, [1]).Kind);
        Assert.Equal(0, _mobile.FlowCount);
    }

    [Fact]
    [Requirement("TURN-D3")]
    public void ClientThatMovesOnBeforeAnyData_IsReachedByTheLastWay()
    {
        var (client, ticket) = NewMobileClient();
        var (second, third) = (Elsewhere(client), Elsewhere(client));
        Assert.True(Move(third, Move(second, ticket).Value(StunAttributeType.MobilityTicket)).IsSuccess);

        Assert.Equal(OutcomeKind.Drop, second.Send(Peer, [1]).Kind);
        Assert.Equal(OutcomeKind.ToPeer, third.Send(Peer, [1]).Kind);
    }

    [Fact]
    [Requirement("TURN-D3")]
    public void PlainRefresh_GivesAnotherTicket_AndTheOneBeforeStillMoves()
    {
        var (client, ticket) = NewMobileClient();
        var next = client.Refresh().Value(StunAttributeType.MobilityTicket);

        Assert.NotEqual(ticket, next);

        // The answer may have been lost, and nothing has moved.
        Assert.True(Move(Elsewhere(client), ticket).IsSuccess);
    }

    [Fact]
    [Requirement("TURN-D2")]
    [Requirement("TURN-D4")]
    public void TicketThatIsNotGenuine_IsABadRequest()
    {
        var (client, ticket) = NewMobileClient();
        var moved = Elsewhere(client);
        Assert.Equal(StunError.BadRequest, Move(moved, []).Error);
        Assert.Equal(StunError.BadRequest, Move(moved, ticket[1..]).Error);
        Assert.Equal(StunError.BadRequest, Move(moved, new MobilityTickets(RandomNumberGenerator.GetBytes(32)).Seal(1, 0)).Error);
        for (var i = 0; i < ticket.Length; i++)
        {
            var forged = ticket.ToArray();
            forged[i] ^= 1;
            Assert.Equal(StunError.BadRequest, Move(moved, forged).Error);
        }

        Assert.True(Move(moved, ticket).IsSuccess);
    }

    [Fact]
    [Requirement("TURN-D4")]
    public void Tickets_ShowNothingOfTheAllocation_AndNeverRepeat()
    {
        var tickets = new MobilityTickets(TicketKey);
        var many = Enumerable.Range(0, 1000).Select(_ => tickets.Seal(0x0123456789ABCDEF, 7)).ToList();

        Assert.Equal(many.Count, many.Select(Convert.ToHexString).Distinct().Count());
        Assert.All(many, ticket => Assert.DoesNotContain("0123456789ABCDEF", Convert.ToHexString(ticket), StringComparison.Ordinal));
        Assert.True(tickets.TryOpen(many[0], out var id, out var move));
        Assert.Equal((0x0123456789ABCDEFul, 7u), (id, move));
    }

    /// <summary>Each ticket has a key of its own, so one GCM nonce may occur twice.</summary>
    [Fact]
    [Requirement("SEC-29")]
    public void EachOctetOfATicket_IsAuthenticated_AlsoThoseThatOnlyMakeItsKey()
    {
        var tickets = new MobilityTickets(TicketKey);
        var ticket = tickets.Seal(7, 1);
        Assert.Equal(24 + 12 + 16, ticket.Length);

        for (var i = 0; i < ticket.Length; i++)
        {
            var changed = (byte[])ticket.Clone();
            changed[i] ^= 1;
            Assert.False(tickets.TryOpen(changed, out _, out _), $"octet {i}");
        }

        Assert.True(tickets.TryOpen(ticket, out _, out _));
    }

    [Fact]
    [Requirement("TURN-D2")]
    public void TicketOfAnAllocationThatHasEnded_OrOfAnotherNode_IsAMismatch()
    {
        var (client, ticket) = NewMobileClient();
        var foreign = new EngineFixture(mobile: new MobileAllocations(new MobilityTickets(TicketKey)));
        Assert.Equal(StunError.AllocationMismatch, Move(new EngineClient(foreign, client.Flow, client.Credential), ticket).Error);

        _fixture.Advance(601);
        Assert.Equal(StunError.AllocationMismatch, Move(Elsewhere(client), ticket).Error);
        Assert.Equal(0, _mobile.Count);
    }

    [Theory]
    [InlineData("bob", "secret")]
    [InlineData("alice", "wrong")]
    [InlineData("mallory", "secret")]
    [Requirement("TURN-D2")]
    public void SomeoneElse_GetsWrongCredentials_AndMovesNothing(string user, string password)
    {
        var (client, ticket) = NewMobileClient();
        var thief = new EngineClient(_fixture, _fixture.NewFlow(), StunCredential.Password(user, password));

        Assert.Equal(StunError.WrongCredentials, Move(thief, ticket).Error);
        Assert.True(Move(Elsewhere(client), ticket).IsSuccess);
    }

    [Theory]
    [InlineData(false, null)]
    [InlineData(true, null)]
    [InlineData(false, 0u)]
    [InlineData(true, 0u)]
    [Requirement("TURN-D2")]
    [Requirement("TURN-B3")]
    [Requirement("SEC-15")]
    [Requirement("RFC8016-3.2.2")]
    public void HolderOfAnotherValidToken_GetsWrongCredentials_AndMovesNothing(bool browser, uint? lifetime)
    {
        var token = _fixture.NewToken();
        var client = _fixture.NewClient(browser ? token.Browser : token.Native);
        var ticket = client.Allocate(Ticket([])).Value(StunAttributeType.MobilityTicket);
        client.CreatePermission(Peer);
        var other = _fixture.NewToken();
        var thief = new EngineClient(_fixture, _fixture.NewFlow(), browser ? other.Browser : other.Native);
        var answer = thief.Request(
            StunMethod.Refresh, StunRequest.All(JustTicket(ticket), lifetime is { } seconds ? StunRequest.Lifetime(seconds) : null))!;

        Assert.Equal(StunError.WrongCredentials, answer.Error);
        Assert.Equal(DropReason.NoAllocation, thief.Send(Peer, [1]).DropReason);
        Assert.Equal(client.Flow, client.Allocation.FiveTuple);
        Assert.Equal(OutcomeKind.ToPeer, client.Send(Peer, [1]).Kind);
        Assert.True(Move(Elsewhere(client), ticket).IsSuccess);
    }

    [Fact]
    [Requirement("TURN-D2")]
    [Requirement("ABUSE-31")]
    public void NonceOfTheOldAddress_IsStale_AndAFreshOneServes()
    {
        var (client, ticket) = NewMobileClient();
        var moved = Elsewhere(client);
        moved.Nonce = client.Nonce;
        var stale = Move(moved, ticket);

        Assert.Equal(StunError.StaleNonce, stale.Error);
        moved.Nonce = stale.Value(StunAttributeType.Nonce);
        Assert.True(Move(moved, ticket).IsSuccess);
    }

    [Fact]
    [Requirement("TURN-D2")]
    [Requirement("RFC7635-9")]
    public void ClientWithTokens_Moves_ThenRenews()
    {
        var client = _fixture.NewClient(_fixture.NewToken().Native);
        var ticket = client.Allocate(Ticket([])).Value(StunAttributeType.MobilityTicket);
        client.CreatePermission(Peer);
        var moved = Elsewhere(client);
        Assert.True(Move(moved, ticket).IsSuccess);
        moved.Credential = _fixture.NewToken("k2", lifetime: 300).Native;

        var renewed = moved.Refresh();
        Assert.Equal(300u, renewed.Lifetime);
        Assert.True(renewed.Has(StunAttributeType.MobilityTicket));
        Assert.True(moved.CreatePermission(Peer).IsSuccess);
        Assert.Equal(OutcomeKind.ToPeer, moved.Send(Peer, [1]).Kind);
    }

    [Fact]
    [Requirement("TURN-D2")]
    public void FiveTupleThatHasAnAllocation_TakesNoOther()
    {
        var (client, ticket) = NewMobileClient();
        var moved = Elsewhere(client);
        moved.Allocate();

        Assert.Equal(StunError.AllocationMismatch, Move(moved, ticket).Error);
        Assert.Equal(2, _fixture.Engine.AllocationCount);
    }

    [Fact]
    [Requirement("TURN-D2")]
    public void LifetimeZero_WithTheTicket_EndsTheAllocation()
    {
        var (client, ticket) = NewMobileClient();
        var moved = Elsewhere(client);
        var answer = moved.Request(StunMethod.Refresh, (ref StunMessageWriter request) =>
        {
            request.WriteUInt32(StunAttributeType.Lifetime, 0);
            request.Write(StunAttributeType.MobilityTicket, ticket);
        })!;

        Assert.Equal(0u, answer.Lifetime);
        Assert.False(answer.Has(StunAttributeType.MobilityTicket));
        AssertNothingIsLeft();
    }

    [Fact]
    [Requirement("TURN-D3")]
    public void StreamOfAMobileClient_MayEnd_AndTheClientComesBackWithItsTicket()
    {
        var client = _fixture.NewClient(transport: ClientTransport.Tcp);
        var ticket = client.Allocate(Ticket([])).Value(StunAttributeType.MobilityTicket);
        client.CreatePermission(Peer);
        _fixture.Engine.StreamClosed(client.Flow);
        Assert.Equal(1, _fixture.Engine.AllocationCount);

        // The old way is gone, so there is nothing to wait for.
        var moved = Elsewhere(client);
        Assert.True(Move(moved, ticket).IsSuccess);
        Assert.Equal(moved.Flow, client.Allocation.FiveTuple);
        Assert.NotNull(_fixture.FromPeer(client, Peer, [1]));
    }

    [Fact]
    [Requirement("TURN-D3")]
    public void StreamThatEndsAfterTheMove_HandsOverToTheNewFiveTuple()
    {
        var client = _fixture.NewClient(transport: ClientTransport.Tls);
        var ticket = client.Allocate(Ticket([])).Value(StunAttributeType.MobilityTicket);
        var moved = Elsewhere(client);
        Move(moved, ticket);
        _fixture.Engine.StreamClosed(client.Flow);

        Assert.Equal(moved.Flow, client.Allocation.FiveTuple);
        Assert.Equal(0, _fixture.Relays[0].Closed);
    }

    [Fact]
    [Requirement("TURN-D3")]
    public void Expiry_EndsAMovedAllocationOnce_WithBothItsFiveTuples()
    {
        var (client, ticket) = NewMobileClient();
        Move(Elsewhere(client), ticket);
        _fixture.Advance(601);
        _fixture.Engine.Sweep(_fixture.Time);

        Assert.Single(_fixture.Engine.Ended);
        _fixture.CloseWhatEnded();
        AssertNothingIsLeft();
    }

    [Fact]
    [Requirement("TURN-D3")]
    public void PacketsThatReachAnotherWorker_AreHandedOverToTheAllocationsOwn()
    {
        var other = new EngineFixture(mobile: _mobile, number: 1);
        var (client, ticket) = NewMobileClient();
        var moved = Elsewhere(client);
        moved.Nonce = moved.Challenge().Value(StunAttributeType.Nonce);
        var there = new EngineClient(other, moved.Flow, client.Credential) { Nonce = moved.Nonce };

        AssertHandedOver(other.Route(there.Build(StunMethod.Refresh, JustTicket(ticket)), moved.Flow));
        Assert.True(Move(moved, ticket).IsSuccess);
        AssertHandedOver(there.Send(Peer, [1]));
        AssertHandedOver(other.Route(there.Build(StunMethod.CreatePermission), moved.Flow));
        Assert.Equal(OutcomeKind.ToPeer, moved.Send(Peer, [1]).Kind);
        AssertHandedOver(there.SendOnChannel(0x4000, [1]));

        // The 5-tuple is in use, wherever its packets arrive.
        Assert.Equal(StunError.AllocationMismatch, there.TryAllocate()!.Error);

        moved.Refresh(0);
        Assert.Equal(OutcomeKind.Drop, there.Send(Peer, [1]).Kind);
        there.Allocate();
    }

    [Fact]
    [Requirement("TURN-D2")]
    [Requirement("ABUSE-49")]
    public void RefreshWithTheTicket_NamesItsAllocationToTheHost()
    {
        var client = _fixture.NewClient(_fixture.NewToken().Native);
        var ticket = client.Allocate(Ticket([])).Value(StunAttributeType.MobilityTicket);
        var moved = Elsewhere(client);
        moved.Nonce = moved.Challenge().Value(StunAttributeType.Nonce);

        Assert.Same(client.Allocation, _fixture.Route(moved.Build(StunMethod.Refresh, JustTicket(ticket)), moved.Flow).Allocation);
    }

    [Fact]
    [Requirement("TURN-D3")]
    public void StreamThatComesBackFromTheSamePort_IsReachedAgain()
    {
        var client = _fixture.NewClient(transport: ClientTransport.Tcp);
        var ticket = client.Allocate(Ticket([])).Value(StunAttributeType.MobilityTicket);
        _fixture.Engine.StreamClosed(client.Flow);
        Assert.Same(ClientPath.Closed, client.Allocation.Path);

        var answer = Move(client, ticket);
        Assert.True(answer.IsSuccess);
        Assert.NotSame(ClientPath.Closed, client.Allocation.Path);
        Assert.True(Move(Elsewhere(client), answer.Value(StunAttributeType.MobilityTicket)).IsSuccess);
    }

    [Fact]
    [Requirement("TURN-D2")]
    public void FiveTupleThatAnotherWorkersClientHasMovedTo_TakesNoOther()
    {
        var other = new EngineFixture(mobile: _mobile, number: 1);
        var theirs = other.NewClient();
        var theirTicket = theirs.Allocate(Ticket([])).Value(StunAttributeType.MobilityTicket);
        var (client, ticket) = NewMobileClient();
        var moved = Elsewhere(client);
        Assert.True(Move(new EngineClient(other, moved.Flow, client.Credential), theirTicket).IsSuccess);

        Assert.Equal(StunError.AllocationMismatch, Move(moved, ticket).Error);
        Assert.Equal(1, _mobile.FlowCount);
    }

    [Fact]
    [Requirement("TURN-D2")]
    public void FiveTupleWhoseAllocateIsBeingDecided_TakesNoOtherWorkersClient()
    {
        var other = new EngineFixture(mobile: _mobile, number: 1) { Waiting = [] };
        var (client, ticket) = NewMobileClient();
        var there = new EngineClient(other, _fixture.NewFlow(), client.Credential);
        there.TryAllocate();
        var outcome = other.Route(there.Build(StunMethod.Refresh, JustTicket(ticket)), there.Flow);

        Assert.Equal((OutcomeKind.Drop, DropReason.Busy), (outcome.Kind, outcome.DropReason));
    }

    [Fact]
    [Requirement("TURN-D4")]
    public void MadeUpTicket_WithoutOurNonce_IsNotOpenedNorHandedOver()
    {
        var other = new EngineFixture(mobile: _mobile, number: 1);
        var (client, ticket) = NewMobileClient();
        var stranger = new EngineClient(other, _fixture.NewFlow(), client.Credential) { Nonce = client.Nonce };

        Assert.Equal(StunError.StaleNonce, Move(stranger, ticket).Error);
    }

    private static void AssertHandedOver(Outcome outcome)
    {
        Assert.Equal(OutcomeKind.HandOver, outcome.Kind);
        Assert.Equal(0, outcome.Engine);
    }

    private void AssertNothingIsLeft()
    {
        Assert.Equal((0, 0, 0), (_fixture.Engine.AllocationCount, _mobile.Count, _mobile.FlowCount));
        Assert.All(_fixture.Relays, relay => Assert.Equal(1, relay.Closed));
    }

    private (EngineClient Client, byte[] Ticket) NewMobileClient()
    {
        var client = _fixture.NewClient();
        var ticket = client.Allocate(Ticket([])).Value(StunAttributeType.MobilityTicket);
        Assert.True(client.CreatePermission(Peer).IsSuccess);
        return (client, ticket);
    }

    private EngineClient Elsewhere(EngineClient client) => new(_fixture, _fixture.NewFlow(), client.Credential);

    private static StunAnswer Move(EngineClient client, byte[] ticket) =>
        EngineClient.Answered(client.Request(StunMethod.Refresh, JustTicket(ticket)));

    private static WriteAttributes JustTicket(byte[] ticket) => StunRequest.Value(StunAttributeType.MobilityTicket, ticket);

    private static WriteAttributes Ticket(byte[] ticket) => StunRequest.UdpWith(StunAttributeType.MobilityTicket, ticket);
}
