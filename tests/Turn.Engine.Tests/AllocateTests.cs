using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>Allocate (RFC 8656 §7) and Refresh (§8).</summary>
public sealed class AllocateTests
{
    private readonly EngineFixture _fixture = new();

    [Fact]
    [Requirement("RFC8656-7.2")]
    [Requirement("TURN-B18")]
    public void Success_SaysRelayLifetimeAndMappedAddress()
    {
        var client = _fixture.NewClient();
        var answer = client.Allocate();

        Assert.Equal("192.0.2.1:50000", answer.Address(StunAttributeType.XorRelayedAddress).ToString());
        Assert.Equal(client.Flow.Client, answer.Address(StunAttributeType.XorMappedAddress));
        Assert.Equal(600u, answer.Lifetime);
        Assert.False(answer.Has(StunAttributeType.ReservationToken));
    }

    [Theory]
    [InlineData(1u, 600u)]
    [InlineData(600u, 600u)]
    [InlineData(777u, 777u)]
    [InlineData(99999u, 3600u)]
    [InlineData(uint.MaxValue, 3600u)]
    [Requirement("RFC8656-7.2")]
    [Requirement("ABUSE-56")]
    [Requirement("TURN-B17")]
    public void Lifetime_IsBetweenDefaultAndMaximum(uint wanted, uint granted) =>
        Assert.Equal(
            granted,
            _fixture.NewClient().Allocate(Asking(StunAttributeType.Lifetime, BitConverter.GetBytes(wanted).Reverse().ToArray())).Lifetime);

    [Fact]
    [Requirement("RFC8656-7.2-2")]
    [Requirement("ABUSE-42")]
    [Requirement("ABUSE-51")]
    [Requirement("TURN-A14")]
    [Requirement("TURN-B7")]
    public void SecondAllocate_IsAMismatch_ButARetransmissionGetsTheSameAnswer()
    {
        var client = _fixture.NewClient();
        client.Nonce = client.Challenge().Value(StunAttributeType.Nonce);
        var request = client.Build(StunMethod.Allocate, StunRequest.UdpTransport);
        var first = _fixture.Send(request, client.Flow)!;
        _fixture.Advance(1);
        var second = _fixture.Send(request, client.Flow)!;

        Assert.Equal(first.Octets, second.Octets);
        Assert.Single(_fixture.Relays);
        Assert.Equal(StunError.AllocationMismatch, client.TryAllocate()!.Error);
    }

    [Fact]
    [Requirement("ABUSE-42")]
    [Requirement("TURN-A14")]
    public void RetransmissionWhileTheFirstIsBeingDecided_WaitsForItsAnswer()
    {
        _fixture.Waiting = [];
        var client = _fixture.NewClient();
        client.Nonce = client.Challenge().Value(StunAttributeType.Nonce);
        var request = client.Build(StunMethod.Allocate, StunRequest.UdpTransport);

        Assert.Null(_fixture.Send(request, client.Flow));
        Assert.Null(_fixture.Send(request, client.Flow));
        Assert.Equal(DropReason.Busy, _fixture.LastDrop);
        Assert.True(_fixture.Complete(Assert.Single(_fixture.Waiting))!.IsSuccess);
    }

    [Fact]
    public void StreamThatClosesWhileDeciding_LeavesNothing()
    {
        _fixture.Waiting = [];
        var client = _fixture.NewClient(transport: ClientTransport.Tcp);
        client.TryAllocate();
        _fixture.Engine.StreamClosed(client.Flow);

        Assert.Null(_fixture.Complete(Assert.Single(_fixture.Waiting)));
        Assert.Equal(0, _fixture.Engine.AllocationCount);
        Assert.All(_fixture.Relays, relay => Assert.Equal(1, relay.Closed));
    }

    [Theory]
    [InlineData(StunError.AllocationQuotaReached)]
    [InlineData(StunError.InsufficientCapacity)]
    [InlineData(StunError.Unauthenticated)]
    [Requirement("RFC8656-7.2-10")]
    [Requirement("ABUSE-57")]
    [Requirement("TURN-B15")]
    public void RefusedDecision_IsSaidAndSigned_AndTheClientMayTryAgain(StunError decision)
    {
        _fixture.Decision = decision;
        var client = _fixture.NewClient();
        var answer = client.TryAllocate()!;

        Assert.Equal(decision, answer.Error);
        Assert.True(client.Verifies(answer));
        _fixture.Decision = StunError.None;
        client.Allocate();
    }

    [Theory]
    [InlineData("", StunError.BadRequest)]
    [InlineData("1100", StunError.BadRequest)]
    [InlineData("06000000", StunError.UnsupportedTransportProtocol)]
    [InlineData("63000000", StunError.UnsupportedTransportProtocol)]
    [InlineData("FF000000", StunError.UnsupportedTransportProtocol)]
    [Requirement("RFC8656-7.2-3")]
    [Requirement("ABUSE-53")]
    [Requirement("TURN-B8")]
    public void OtherTransports_AreRefused(string transport, StunError error)
    {
        var answer = _fixture.NewClient().Request(
            StunMethod.Allocate,
            (ref StunMessageWriter request) =>
            {
                if (transport.Length > 0) request.Write(StunAttributeType.RequestedTransport, Convert.FromHexString(transport));
            })!;

        Assert.Equal(error, answer.Error);
    }

    [Fact]
    [Requirement("RFC8656-7.2-7")]
    [Requirement("TURN-B12")]
    public void RequestedFamily_IsGiven()
    {
        var answer = _fixture.NewClient().Allocate(Asking(StunAttributeType.RequestedAddressFamily, [2, 0, 0, 0]));

        Assert.Equal(StunAddressFamily.IPv6, answer.Address(StunAttributeType.XorRelayedAddress).Address.Family);
    }

    [Theory]
    [InlineData(StunAttributeType.RequestedAddressFamily, "07000000", StunError.AddressFamilyNotSupported)]
    [InlineData(StunAttributeType.RequestedAddressFamily, "02000000", StunError.AddressFamilyNotSupported)]
    [InlineData(StunAttributeType.AdditionalAddressFamily, "01000000", StunError.BadRequest)]
    [InlineData(StunAttributeType.AdditionalAddressFamily, "09000000", StunError.BadRequest)]
    [Requirement("RFC8656-7.2-7")]
    [Requirement("RFC8656-7.2-9")]
    [Requirement("ABUSE-54")]
    [Requirement("TURN-B12")]
    public void FamilyThatCannotBe_IsRefused(StunAttributeType type, string value, StunError error)
    {
        var fixture = new EngineFixture(new EngineSettings { RelaysIPv6 = false });

        Assert.Equal(error, fixture.NewClient().TryAllocate(Asking(type, Convert.FromHexString(value)))!.Error);
    }

    [Fact]
    [Requirement("RFC8656-7.2-9")]
    [Requirement("TURN-B14")]
    public void AdditionalFamily_GivesBoth_OrOneAndTheReason()
    {
        var both = _fixture.NewClient().Allocate(Asking(StunAttributeType.AdditionalAddressFamily, [2, 0, 0, 0]));
        var one = new EngineFixture(new EngineSettings { RelaysIPv6 = false }).NewClient()
            .Allocate(Asking(StunAttributeType.AdditionalAddressFamily, [2, 0, 0, 0]));

        Assert.Equal(
            [StunAddressFamily.IPv4, StunAddressFamily.IPv6],
            both.Addresses(StunAttributeType.XorRelayedAddress).Select(address => address.Address.Family));
        Assert.Single(one.Addresses(StunAttributeType.XorRelayedAddress));
        Assert.Equal("02000428", Convert.ToHexString(one.Value(StunAttributeType.AddressErrorCode).AsSpan(0, 4)));
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    [Requirement("TURN-B14")]
    public void AdditionalFamilyUnderTheDraftsNumber_IsTakenWhereTheSwitchSaysSo(bool isAccepted, int relays)
    {
        var fixture = new EngineFixture(new EngineSettings { RelaysIPv6 = true, DraftAddressFamily = isAccepted });
        var answer = fixture.NewClient().Allocate(Asking((StunAttributeType)0x8032, [2, 0, 0, 0]));

        Assert.Equal(relays, answer.Addresses(StunAttributeType.XorRelayedAddress).Count);
    }

    [Theory]
    [InlineData(true, true, false, false)]
    [InlineData(false, true, true, false)]
    [InlineData(false, true, false, true)]
    [InlineData(false, false, true, true)]
    [Requirement("RFC8656-7.2-5")]
    [Requirement("RFC8656-7.2-6")]
    [Requirement("ABUSE-54")]
    [Requirement("ABUSE-55")]
    [Requirement("TURN-B10")]
    [Requirement("TURN-B11")]
    public void AttributesThatExcludeEachOther_AreABadRequest(bool evenPort, bool reservation, bool family, bool additional)
    {
        var answer = _fixture.NewClient().TryAllocate((ref StunMessageWriter request) =>
        {
            StunRequest.UdpTransport(ref request);
            if (evenPort) request.Write(StunAttributeType.EvenPort, [0x80]);
            if (reservation) request.Write(StunAttributeType.ReservationToken, new byte[8]);
            if (family) request.Write(StunAttributeType.RequestedAddressFamily, [1, 0, 0, 0]);
            if (additional) request.Write(StunAttributeType.AdditionalAddressFamily, [2, 0, 0, 0]);
        })!;

        Assert.Equal(StunError.BadRequest, answer.Error);
    }

    [Fact]
    [Requirement("SEC-12")]
    [Requirement("RFC8656-7.2-8")]
    public void ReservedPorts_AreBoundedForOneAddress_AlsoWhenTheirAllocationsEnd()
    {
        var fixture = new EngineFixture(new EngineSettings { MaxReservations = 2 });
        StunError Reserve()
        {
            var client = fixture.NewClient();
            var error = client.TryAllocate(Asking(StunAttributeType.EvenPort, [0x80]))!.Error;
            if (error == StunError.None) client.Refresh(0);
            return error;
        }

        Assert.Equal([StunError.None, StunError.None, StunError.InsufficientCapacity], Enumerable.Range(0, 3).Select(_ => Reserve()));
        Assert.Equal(StunError.None, fixture.NewClient().TryAllocate(Asking(StunAttributeType.EvenPort, [0]))!.Error);
        fixture.Advance(30);
        fixture.Sweep();
        Assert.Equal(StunError.None, Reserve());
    }

    [Fact]
    [Requirement("RFC8656-7.2-8")]
    [Requirement("TURN-B13")]
    public void EvenPortWithReservation_KeepsTheNextPortForWhoeverBringsTheToken()
    {
        var token = _fixture.NewClient().Allocate(Asking(StunAttributeType.EvenPort, [0x80])).Value(StunAttributeType.ReservationToken);
        Assert.Equal(1, _fixture.Reservations.Count);
        var other = _fixture.NewClient().Allocate(Asking(StunAttributeType.ReservationToken, token));

        Assert.Equal(_fixture.Relays[1].Bound, other.Address(StunAttributeType.XorRelayedAddress));
        Assert.Equal(0, _fixture.Reservations.Count);
        Assert.Equal(
            StunError.InsufficientCapacity, _fixture.NewClient().TryAllocate(Asking(StunAttributeType.ReservationToken, token))!.Error);
    }

    /// <summary>Its relays do not work, or its token was revoked meanwhile.</summary>
    [Fact]
    [Requirement("ABUSE-49")]
    public void AllocateThatIsTakenBack_EndsItsAllocation_AndClosesItsRelayAndTheReservedOne()
    {
        _fixture.Waiting = [];
        _fixture.NewClient().TryAllocate(Asking(StunAttributeType.EvenPort, [0x80]));
        var pending = _fixture.Waiting[0];
        _fixture.Complete(pending);
        var (allocation, reply) = (_fixture.LastAllocation!, new byte[TurnEngine.ReplyBufferLength]);

        var outcome = _fixture.Engine.Withdraw(allocation, pending, StunError.Unauthenticated, _fixture.Time, reply);

        Assert.Equal(StunError.Unauthenticated, outcome.Error);
        Assert.Equal(AllocationEnd.Failed, allocation.End);
        Assert.Same(allocation, Assert.Single(_fixture.Engine.Ended));
        Assert.Empty(_fixture.Engine.Allocations);
        Assert.Equal(0, _fixture.Reservations.Count);
        Assert.Equal<Relay>(_fixture.Relays, _fixture.Engine.RelaysToClose.OrderBy(relay => relay.Bound.Port));
    }

    [Fact]
    [Requirement("RFC8656-8.2")]
    public void RefreshWithLifetime0OfTheOnlyFamily_EndsTheAllocation()
    {
        var client = _fixture.NewClient();
        client.Allocate(Asking(StunAttributeType.RequestedAddressFamily, [2, 0, 0, 0]));

        Assert.True(EngineClient.Answered(client.Request(StunMethod.Refresh, StunRequest.All(
            StunRequest.Lifetime(0), StunRequest.Value(StunAttributeType.RequestedAddressFamily, 2, 0, 0, 0)))).IsSuccess);
        Assert.Equal(AllocationEnd.Deleted, client.Allocation.End);
        Assert.Empty(_fixture.Engine.Allocations);
    }

    [Fact]
    [Requirement("RFC8656-7.2-8")]
    [Requirement("TURN-B10")]
    [Requirement("TURN-B13")]
    public void Reservation_EndsAfterThirtySeconds_AndGivesItsPortBack()
    {
        var token = _fixture.NewClient().Allocate(Asking(StunAttributeType.EvenPort, [0x80])).Value(StunAttributeType.ReservationToken);
        _fixture.Advance(29.9);
        _fixture.Sweep();
        Assert.Equal(0, _fixture.Relays[1].Closed);
        _fixture.Advance(0.1);
        _fixture.Sweep();

        Assert.Equal(1, _fixture.Relays[1].Closed);
        Assert.Equal(
            StunError.InsufficientCapacity, _fixture.NewClient().TryAllocate(Asking(StunAttributeType.ReservationToken, token))!.Error);
    }

    [Fact]
    [Requirement("RFC8656-8.2")]
    [Requirement("ABUSE-52")]
    [Requirement("TURN-B19")]
    public void RefreshWithZero_Deletes_AndAnotherOneIsAMismatch()
    {
        var client = _fixture.NewClient();
        client.Allocate();

        Assert.Equal(0u, client.Refresh(0).Lifetime);
        Assert.Equal(1, Assert.Single(_fixture.Relays).Closed);
        Assert.Equal(StunError.AllocationMismatch, client.Refresh(0).Error);
    }

    [Fact]
    [Requirement("ABUSE-55")]
    public void AllocationThatHasEnded_EndsNoOther_ThoughThatHasItsFiveTuple()
    {
        var client = _fixture.NewClient();
        client.Allocate();
        var former = client.Allocation;
        client.Refresh(0);
        client.Allocate();

        // A renewal that Redis knows to be revoked ends its allocation a moment after it was answered.
        _fixture.Engine.End(former, AllocationEnd.Revoked);
        _fixture.CloseWhatEnded();

        Assert.Equal(1, _fixture.Engine.AllocationCount);
        Assert.Equal(1, _fixture.Relays[0].Closed);
        Assert.Equal(0u, client.Refresh(0).Lifetime);
        Assert.Equal(1, _fixture.Relays[1].Closed);
    }

    [Fact]
    [Requirement("RFC8656-8.2")]
    [Requirement("TURN-B19")]
    public void Refresh_StartsTheLifetimeAnew()
    {
        var client = _fixture.NewClient();
        client.Allocate();
        _fixture.Advance(599);
        Assert.Equal(600u, client.Refresh(600).Lifetime);
        _fixture.Advance(599);
        _fixture.Sweep();

        Assert.Equal(1, _fixture.Engine.AllocationCount);
    }

    [Fact]
    [Requirement("RFC8656-8.2")]
    [Requirement("TURN-B20")]
    public void RefreshOfOneFamily_LeavesTheOtherAlone()
    {
        var client = _fixture.NewClient();
        client.Allocate(Asking(StunAttributeType.AdditionalAddressFamily, [2, 0, 0, 0]));
        var answer = client.Request(StunMethod.Refresh, (ref StunMessageWriter request) =>
        {
            request.Write(StunAttributeType.RequestedAddressFamily, [1, 0, 0, 0]);
            request.WriteUInt32(StunAttributeType.Lifetime, 0);
        })!;

        Assert.True(answer.IsSuccess);
        Assert.Equal([1, 0], _fixture.Relays.Select(relay => relay.Closed));
        Assert.Equal(StunError.PeerAddressFamilyMismatch, client.CreatePermission("203.0.113.9:1").Error);
        Assert.True(client.CreatePermission("[2001:db8::9]:1").IsSuccess);
    }

    [Fact]
    [Requirement("RFC8656-8.2")]
    [Requirement("TURN-B20")]
    public void RefreshOfAFamilyThatIsNotThere_IsAMismatch()
    {
        var client = _fixture.NewClient();
        client.Allocate();
        var answer = client.Request(
            StunMethod.Refresh,
            (ref StunMessageWriter request) => request.Write(StunAttributeType.RequestedAddressFamily, [2, 0, 0, 0]))!;

        Assert.Equal(StunError.PeerAddressFamilyMismatch, answer.Error);
    }

    [Fact]
    [Requirement("RFC8656-7.2")]
    [Requirement("TURN-B21")]
    public void Expiry_EndsTheAllocationToTheMillisecond()
    {
        var client = _fixture.NewClient();
        client.Allocate();
        client.CreatePermission("203.0.113.9:1");
        _fixture.Advance(299.999);
        Assert.NotNull(_fixture.FromPeer(client, "203.0.113.9:1", [1]));
        _fixture.Advance(300.001);

        Assert.Equal(StunError.AllocationMismatch, client.CreatePermission("203.0.113.9:1").Error);
        Assert.Equal(1, Assert.Single(_fixture.Relays).Closed);
    }

    [Fact]
    [Requirement("RFC8656-5")]
    [Requirement("ABUSE-28")]
    public void ClosedStream_EndsItsAllocation()
    {
        var client = _fixture.NewClient(transport: ClientTransport.Tcp);
        client.Allocate();
        _fixture.Engine.StreamClosed(client.Flow);
        _fixture.CloseWhatEnded();

        Assert.Equal(0, _fixture.Engine.AllocationCount);
        Assert.Equal(1, Assert.Single(_fixture.Relays).Closed);
    }

    [Theory]
    [InlineData(StunMethod.Refresh)]
    [InlineData(StunMethod.CreatePermission)]
    [InlineData(StunMethod.ChannelBind)]
    [Requirement("RFC8656-5")]
    [Requirement("TURN-B2")]
    public void RequestsWithoutAnAllocation_AreAMismatch(StunMethod method) =>
        Assert.Equal(StunError.AllocationMismatch, _fixture.NewClient().Request(method)!.Error);

    [Fact]
    [Requirement("RFC8489-12")]
    [Requirement("TURN-A11")]
    public void Binding_NeedsNoCredentials()
    {
        var flow = _fixture.NewFlow();
        var answer = _fixture.Send(StunRequest.Plain(StunMethod.Binding), flow)!;

        Assert.True(answer.IsSuccess);
        Assert.Equal(flow.Client, answer.Address(StunAttributeType.XorMappedAddress));
    }

    [Theory]
    [InlineData(StunMethod.Binding, StunClass.SuccessResponse)]
    [InlineData(StunMethod.Binding, StunClass.Indication)]
    [InlineData(StunMethod.Allocate, StunClass.ErrorResponse)]
    [InlineData(StunMethod.Send, StunClass.Request)]
    [InlineData(StunMethod.Data, StunClass.Indication)]
    [InlineData(StunMethod.Connect, StunClass.Request)]
    [InlineData((StunMethod)0x7F, StunClass.Request)]
    [Requirement("RFC8489-6.3")]
    [Requirement("ABUSE-17")]
    [Requirement("TURN-A10")]
    public void MessagesThatAServerDoesNotExpect_AreDroppedInSilence(StunMethod method, StunClass @class)
    {
        Assert.Null(_fixture.Send(StunRequest.Plain(method, null, @class), _fixture.NewFlow()));
        Assert.Equal(DropReason.UnexpectedMessage, _fixture.LastDrop);
    }

    [Fact]
    public void StreamFromTheSamePort_GetsAnAllocationOfItsOwn()
    {
        _fixture.Waiting = [];
        var first = _fixture.NewClient(transport: ClientTransport.Tcp);
        first.TryAllocate();
        _fixture.Engine.StreamClosed(first.Flow);
        var second = new EngineClient(_fixture, first.Flow, StunCredential.Password("bob", "secret"));
        second.TryAllocate();

        Assert.Null(_fixture.Complete(_fixture.Waiting[0]));
        Assert.True(_fixture.Complete(_fixture.Waiting[1])!.IsSuccess);
        Assert.Equal("bob"u8.ToArray(), _fixture.LastAllocation!.Credential.Username.ToArray());
    }

    [Fact]
    [Requirement("RFC8656-7.2")]
    public void ReservedIPv6Port_IsAnIPv6Relay()
    {
        var answer = _fixture.NewClient().Allocate((ref StunMessageWriter request) =>
        {
            StunRequest.UdpTransport(ref request);
            request.Write(StunAttributeType.RequestedAddressFamily, [2, 0, 0, 0]);
            request.Write(StunAttributeType.EvenPort, [0x80]);
        });
        var client = _fixture.NewClient();
        client.Allocate((ref StunMessageWriter request) =>
        {
            StunRequest.UdpTransport(ref request);
            request.Write(StunAttributeType.ReservationToken, answer.Value(StunAttributeType.ReservationToken));
        });

        Assert.True(client.CreatePermission("[2001:db8::9]:7000").IsSuccess);
        Assert.Equal(StunAddressFamily.IPv6, client.Send("[2001:db8::9]:7000", [1]).Relay!.Bound.Address.Family);
    }

    [Fact]
    public void EndAll_ClosesEveryRelayOnce()
    {
        _fixture.NewClient().Allocate(Asking(StunAttributeType.EvenPort, [0x80]));
        _fixture.NewClient().Allocate(Asking(StunAttributeType.AdditionalAddressFamily, [2, 0, 0, 0]));
        _fixture.Engine.EndAll();
        _fixture.CloseWhatEnded();

        Assert.All(_fixture.Relays, relay => Assert.Equal(1, relay.Closed));
        Assert.Equal(4, _fixture.Relays.Count);
    }

    private static WriteAttributes Asking(StunAttributeType type, params byte[] value) => StunRequest.UdpWith(type, value);
}
