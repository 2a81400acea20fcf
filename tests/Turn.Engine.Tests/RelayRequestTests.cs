using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>The attributes of Allocate and Refresh that describe relays, with each wrong length and on servers with one family.</summary>
public sealed class RelayRequestTests
{
    private static readonly EngineSettings OnlyIPv6 = new() { RelaysIPv4 = false, RelaysIPv6 = true };

    private readonly EngineFixture _fixture = new();

    [Theory]
    [InlineData(StunAttributeType.EvenPort, "", StunError.BadRequest)]
    [InlineData(StunAttributeType.EvenPort, "8000", StunError.BadRequest)]
    [InlineData(StunAttributeType.ReservationToken, "01020304050607", StunError.BadRequest)]
    [InlineData(StunAttributeType.ReservationToken, "010203040506070809", StunError.BadRequest)]
    [InlineData(StunAttributeType.ReservationToken, "0102030405060708", StunError.InsufficientCapacity)]
    [InlineData(StunAttributeType.RequestedAddressFamily, "01", StunError.BadRequest)]
    [InlineData(StunAttributeType.RequestedAddressFamily, "0100000000", StunError.BadRequest)]
    [InlineData(StunAttributeType.AdditionalAddressFamily, "02", StunError.BadRequest)]
    [InlineData(StunAttributeType.Lifetime, "0258", StunError.BadRequest)]
    [InlineData(StunAttributeType.Lifetime, "", StunError.BadRequest)]
    [InlineData(StunAttributeType.DontFragment, "00", StunError.BadRequest)]
    [Requirement("RFC8656-7.2-5")]
    [Requirement("RFC8656-7.2-8")]
    [Requirement("ABUSE-9")]
    [Requirement("CLIENT-8")]
    public void AttributeOfAnotherLength_IsRefused(StunAttributeType type, string value, StunError error) =>
        Assert.Equal(error, _fixture.NewClient().TryAllocate(StunRequest.UdpWith(type, Convert.FromHexString(value)))!.Error);

    [Theory]
    [InlineData("11000000", StunError.None)]
    [InlineData("110000", StunError.BadRequest)]
    [InlineData("1100000000", StunError.BadRequest)]
    [Requirement("RFC8656-7.2-3")]
    public void RequestedTransport_HasFourOctets(string value, StunError error) => Assert.Equal(
        error,
        _fixture.NewClient()
            .TryAllocate(StunRequest.Value(StunAttributeType.RequestedTransport, Convert.FromHexString(value)))!.Error);

    /// <summary>Browsers send no REQUESTED-ADDRESS-FAMILY. RFC 8656 §7.2 then wants IPv4; only a setting changes that.</summary>
    [Theory]
    [InlineData(false, "198.51.100.7", true, true, "IPv4")]
    [InlineData(false, "2001:db8::7", true, true, "IPv4")]
    [InlineData(false, "2001:db8::7", false, true, "440")]
    [InlineData(true, "198.51.100.7", true, true, "IPv4")]
    [InlineData(true, "2001:db8::7", true, true, "IPv6")]
    [InlineData(true, "198.51.100.7", false, true, "IPv6")]
    [InlineData(true, "2001:db8::7", true, false, "IPv4")]
    [InlineData(true, "2001:db8::7", false, false, "440")]
    [Requirement("NET-19")]
    [Requirement("RFC8656-7.2-7")]
    public void WithoutAFamily_TheRelayIsOfTheDefaultOne(bool isOfClient, string client, bool hasIPv4, bool hasIPv6, string expected)
    {
        var fixture = new EngineFixture(new EngineSettings
        {
            DefaultsToClientFamily = isOfClient,
            RelaysIPv4 = hasIPv4,
            RelaysIPv6 = hasIPv6,
            TcpRelays = true,
        })
        { Waiting = [] };
        foreach (var transport in new[] { ClientTransport.Udp, ClientTransport.Tcp })
        {
            var flow = fixture.NewFlow(transport) with { Client = new TransportAddress(InternetAddress.Parse(client), 40000) };
            var answer = new EngineClient(fixture, flow, StunCredential.Password("alice", "secret"))
                .TryAllocate(transport == ClientTransport.Udp ? StunRequest.UdpTransport : StunRequest.TcpTransport);
            var relays = fixture.Waiting.LastOrDefault()?.Relays;

            Assert.Equal(expected, answer is not null ? $"{(int)answer.Error}" : relays!.Value.IPv6 ? "IPv6" : "IPv4");
            Assert.True(relays is null || relays.Value.IPv4 != relays.Value.IPv6);
        }
    }

    /// <summary>Only the first bit of EVEN-PORT reserves the next port (RFC 8656 §18.7).</summary>
    [Theory]
    [InlineData(0x00, false)]
    [InlineData(0x7F, false)]
    [InlineData(0x80, true)]
    [InlineData(0xFF, true)]
    [Requirement("RFC8656-7.2-8")]
    [Requirement("RFC8656-18.7")]
    public void EvenPort_ReservesTheNextPort_IfItsFirstBitIsSet(byte value, bool isReserved)
    {
        _fixture.Waiting = [];
        _fixture.NewClient().TryAllocate(StunRequest.UdpWith(StunAttributeType.EvenPort, value));
        var relays = Assert.Single(_fixture.Waiting).Relays;

        Assert.Equal((true, isReserved), (relays.EvenPort, relays.ReserveNext));
        Assert.Equal((true, false, false), (relays.IPv4, relays.IPv6, relays.IsTcp));
    }

    [Fact]
    [Requirement("RFC8656-7.2-8")]
    public void EvenPort_GoesWithBothFamilies_WithoutAReservation()
    {
        _fixture.Waiting = [];
        _fixture.NewClient().TryAllocate(StunRequest.All(
            StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0), StunRequest.Value(StunAttributeType.EvenPort, 0)));
        var relays = Assert.Single(_fixture.Waiting).Relays;

        Assert.Equal((true, true, true, false), (relays.IPv4, relays.IPv6, relays.EvenPort, relays.ReserveNext));
    }

    [Fact]
    [Requirement("RFC8656-7.2-7")]
    public void PlainAllocate_AsksForAnyPort()
    {
        _fixture.Waiting = [];
        _fixture.NewClient().TryAllocate();

        Assert.Equal(new RelayRequest(IPv4: true, IPv6: false, EvenPort: false, ReserveNext: false), _fixture.Waiting[0].Relays);
    }

    [Theory]
    [InlineData(0, StunError.AddressFamilyNotSupported)]
    [InlineData(1, StunError.AddressFamilyNotSupported)]
    [InlineData(2, StunError.None)]
    [Requirement("RFC8656-7.2-7")]
    public void ServerWithOnlyIPv6_RefusesIPv4(byte family, StunError error)
    {
        var client = new EngineFixture(OnlyIPv6).NewClient();

        Assert.Equal(
            error,
            client.TryAllocate(family == 0 ? null : StunRequest.UdpWith(StunAttributeType.RequestedAddressFamily, family, 0, 0, 0))!.Error);
    }

    [Fact]
    [Requirement("RFC8656-7.2-9")]
    [Requirement("RFC8656-18.12")]
    public void ServerWithOnlyIPv6_GivesThatOfBoth_AndSaysThatIPv4IsNotThere()
    {
        var answer = new EngineFixture(OnlyIPv6).NewClient()
            .Allocate(StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0));

        Assert.Equal(StunAddressFamily.IPv6, Assert.Single(answer.Addresses(StunAttributeType.XorRelayedAddress)).Address.Family);
        Assert.Equal(
            [1, 0, 4, 40, .. StunError.AddressFamilyNotSupported.ReasonPhrase()], answer.Value(StunAttributeType.AddressErrorCode));
    }

    [Fact]
    [Requirement("RFC8656-7.2-9")]
    public void ServerWithoutRelays_HasNoCapacityForBoth() => Assert.Equal(
        StunError.InsufficientCapacity,
        new EngineFixture(new EngineSettings { RelaysIPv4 = false }).NewClient()
            .TryAllocate(StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0))!.Error);

    [Fact]
    [Requirement("RFC8656-7.2-9")]
    public void BothFamilies_AreGrantedWithoutAnError() => Assert.False(
        _fixture.NewClient().Allocate(StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0))
            .Has(StunAttributeType.AddressErrorCode));

    [Theory]
    [InlineData("")]
    [InlineData("0100")]
    [InlineData("03000000")]
    [Requirement("RFC8656-8.2")]
    public void RefreshOfAMalformedFamily_IsABadRequest(string family)
    {
        var client = _fixture.NewClient();
        client.Allocate();

        Assert.Equal(StunError.BadRequest, Refresh(client, 600, Convert.FromHexString(family)).Error);
    }

    [Fact]
    [Requirement("RFC8656-8.2")]
    public void DeletionOfIPv6_LeavesIPv4_AndDeletionOfTheLastFamilyEndsTheAllocation()
    {
        var client = _fixture.NewClient();
        client.Allocate(StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0));

        Assert.True(Refresh(client, 0, 2, 0, 0, 0).IsSuccess);
        Assert.Equal([0, 1], _fixture.Relays.Select(relay => relay.Closed));
        Assert.Null(client.Allocation.IPv6);
        Assert.True(client.CreatePermission("203.0.113.9:1").IsSuccess);

        Assert.True(Refresh(client, 0, 1, 0, 0, 0).IsSuccess);
        Assert.Equal([1, 1], _fixture.Relays.Select(relay => relay.Closed));
        Assert.Equal(AllocationEnd.Deleted, client.Allocation.End);
    }

    [Fact]
    [Requirement("RFC8656-8.2")]
    public void DeletionWithoutAFamily_EndsBoth()
    {
        var client = _fixture.NewClient();
        client.Allocate(StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0));
        client.Refresh(0);

        Assert.Equal([1, 1], _fixture.Relays.Select(relay => relay.Closed));
        Assert.Equal(0, _fixture.Engine.AllocationCount);
    }

    [Fact]
    [Requirement("RFC8656-8.2")]
    public void RefreshOfOneFamily_KeepsBoth()
    {
        var client = _fixture.NewClient();
        client.Allocate(StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0));

        Assert.Equal(700u, Refresh(client, 700, 2, 0, 0, 0).Lifetime);
        Assert.All(_fixture.Relays, relay => Assert.Equal(0, relay.Closed));
        Assert.Equal(_fixture.Time.After(TimeSpan.FromSeconds(700)), client.Allocation.ExpiresAt);
    }

    [Fact]
    [Requirement("RFC8489-10")]
    [Requirement("RFC8656-7.2-11")]
    public void ClientThatShouldGoElsewhere_IsToldWhere()
    {
        var client = _fixture.NewClient();
        _fixture.Waiting = [];
        client.TryAllocate();
        var reply = new byte[TurnEngine.ReplyBufferLength];
        var decision = new AllocationDecision(StunError.TryAlternate) { AlternateServer = EngineClient.Peer("192.0.2.9:3479") };
        var outcome = _fixture.Engine.Complete(_fixture.Waiting[0], decision, _fixture.Time, reply);
        var answer = new StunAnswer(reply[..outcome.Length]);

        Assert.Equal(StunError.TryAlternate, answer.Error);
        Assert.Equal("00010d97c0000209", Convert.ToHexStringLower(answer.Value(StunAttributeType.AlternateServer)));
        Assert.Equal("WebRtcIms", answer.Text(StunAttributeType.Software));
        Assert.True(client.Verifies(answer));
    }

    [Theory]
    [InlineData(0x4000, StunError.None)]
    [InlineData(0x4FFF, StunError.None)]
    [InlineData(0x5000, StunError.BadRequest)]
    [Requirement("RFC8656-12")]
    public void FirstAndLastChannel_AreBound(ushort channel, StunError error)
    {
        var client = _fixture.NewClient();
        client.Allocate();

        Assert.Equal(error, client.ChannelBind(channel, "203.0.113.9:7000").Error);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    [Requirement("RFC8656-18.1")]
    public void ChannelNumberOfAnotherLength_IsABadRequest(int length)
    {
        var client = _fixture.NewClient();
        client.Allocate();
        var value = new byte[length];
        value[0] = 0x40;

        Assert.Equal(
            StunError.BadRequest,
            client.Request(
                StunMethod.ChannelBind,
                StunRequest.All(
                    StunRequest.Value(StunAttributeType.ChannelNumber, value),
                    StunRequest.Peer(EngineClient.Peer("203.0.113.9:7000").ToIPEndPoint())))!.Error);
    }

    [Fact]
    [Requirement("ABUSE-65")]
    public void ChannelToANewPeer_NeedsRoomForItsPermission()
    {
        var fixture = new EngineFixture(new EngineSettings { MaxPermissions = 2 });
        var client = fixture.NewClient();
        client.Allocate();
        client.CreatePermission("203.0.113.1:1", "203.0.113.2:1");

        Assert.Equal(StunError.InsufficientCapacity, client.ChannelBind(0x4000, "203.0.113.3:1").Error);
        Assert.True(client.ChannelBind(0x4000, "203.0.113.2:1").IsSuccess);
        Assert.True(client.CreatePermission("203.0.113.1:1", "203.0.113.2:1").IsSuccess);
        Assert.Equal(2, client.Allocation.PermissionCount);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0001")]
    [Requirement("RFC8656-10.2")]
    public void CreatePermission_WithAPeerThatCannotBeRead_PermitsNone(string peer)
    {
        var client = _fixture.NewClient();
        client.Allocate();
        var answer = client.Request(
            StunMethod.CreatePermission,
            StunRequest.All(
                StunRequest.Peer(EngineClient.Peer("203.0.113.9:7000").ToIPEndPoint()),
                StunRequest.Value(StunAttributeType.XorPeerAddress, Convert.FromHexString(peer))))!;

        Assert.Equal(StunError.BadRequest, answer.Error);
        Assert.Equal(0, client.Allocation.PermissionCount);
    }

    private static StunAnswer Refresh(EngineClient client, uint lifetime, params byte[] family) =>
        EngineClient.Answered(client.Request(
            StunMethod.Refresh,
            StunRequest.All(StunRequest.Value(StunAttributeType.RequestedAddressFamily, family), StunRequest.Lifetime(lifetime))));
}
