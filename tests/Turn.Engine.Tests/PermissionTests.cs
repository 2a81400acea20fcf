using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>Permissions (RFC 8656 §9, §10) and channels (§12), their timers, and what passes under them.</summary>
public sealed class PermissionTests
{
    private const string Peer = "203.0.113.9:7000";
    private readonly EngineFixture _fixture = new();
    private readonly EngineClient _client;

    public PermissionTests()
    {
        _client = _fixture.NewClient();
        _client.Allocate((ref StunMessageWriter request) =>
        {
            StunRequest.UdpTransport(ref request);
            request.WriteUInt32(StunAttributeType.Lifetime, 3600);
        });
    }

    [Fact]
    [Requirement("RFC8656-9")]
    [Requirement("ABUSE-69")]
    [Requirement("TURN-B22")]
    public void Permission_IsForTheAddressWithAnyPort_AndLives300Seconds()
    {
        _client.CreatePermission(Peer);
        Assert.NotNull(_fixture.FromPeer(_client, Peer, [1]));
        Assert.NotNull(_fixture.FromPeer(_client, "203.0.113.9:9999", [1]));
        Assert.Null(_fixture.FromPeer(_client, "203.0.113.10:7000", [1]));
        Assert.Equal(DropReason.NoPermission, _fixture.LastDrop);

        _fixture.Advance(299.999);
        Assert.Equal(OutcomeKind.ToPeer, _client.Send(Peer, [1]).Kind);
        _fixture.Advance(0.001);
        Assert.Equal(DropReason.NoPermission, _client.Send(Peer, [1]).DropReason);
        Assert.Null(_fixture.FromPeer(_client, Peer, [1]));
    }

    [Fact]
    [Requirement("RFC8656-9")]
    [Requirement("TURN-B22")]
    public void OnlyCreatePermissionAndChannelBind_StartItAnew()
    {
        _client.CreatePermission(Peer);
        _fixture.Advance(200);
        _client.Send(Peer, [1]);
        _fixture.FromPeer(_client, Peer, [1]);
        _fixture.Advance(101);
        Assert.Equal(DropReason.NoPermission, _client.Send(Peer, [1]).DropReason);

        _client.CreatePermission(Peer);
        _fixture.Advance(200);
        _client.CreatePermission(Peer);
        _fixture.Advance(200);
        _client.ChannelBind(0x4000, Peer);
        _fixture.Advance(200);
        Assert.Equal(OutcomeKind.ToPeer, _client.Send(Peer, [1]).Kind);
    }

    [Fact]
    [Requirement("RFC8656-10.2")]
    [Requirement("TURN-B23")]
    public void CreatePermission_TakesSeveralPeers_OrNone()
    {
        Assert.True(_client.CreatePermission(Peer, "203.0.113.10:1", "203.0.113.11:1").IsSuccess);
        Assert.Equal(3, _client.Allocation.PermissionCount);

        Assert.Equal(StunError.BadRequest, _client.CreatePermission().Error);
        Assert.Equal(StunError.Forbidden, _client.CreatePermission("203.0.113.12:1", "10.0.0.1:1").Error);
        Assert.Equal(StunError.PeerAddressFamilyMismatch, _client.CreatePermission("203.0.113.12:1", "[2001:db8::1]:1").Error);
        Assert.Equal(3, _client.Allocation.PermissionCount);
    }

    [Fact]
    [Requirement("RFC8656-10.2")]
    [Requirement("ABUSE-65")]
    [Requirement("TURN-B23")]
    public void PermissionsAndChannels_AreBounded()
    {
        var fixture = new EngineFixture(new EngineSettings { MaxPermissions = 3, MaxChannels = 2 });
        var client = fixture.NewClient();
        client.Allocate();

        Assert.Equal(
            StunError.InsufficientCapacity,
            client.CreatePermission("203.0.113.1:1", "203.0.113.2:1", "203.0.113.3:1", "203.0.113.4:1").Error);
        Assert.Equal(0, client.Allocation.PermissionCount);
        Assert.True(client.ChannelBind(0x4000, "203.0.113.1:1").IsSuccess);
        Assert.True(client.ChannelBind(0x4001, "203.0.113.1:2").IsSuccess);
        Assert.Equal(StunError.InsufficientCapacity, client.ChannelBind(0x4002, "203.0.113.1:3").Error);
        Assert.True(client.ChannelBind(0x4001, "203.0.113.1:2").IsSuccess);
        Assert.True(client.CreatePermission("203.0.113.2:1", "203.0.113.3:1").IsSuccess);
        Assert.Equal(StunError.InsufficientCapacity, client.CreatePermission("203.0.113.4:1").Error);
    }

    [Theory]
    [InlineData(0x3FFF)]
    [InlineData(0x5000)]
    [InlineData(0x7FFF)]
    [InlineData(0xFFFF)]
    [Requirement("RFC8656-12.2")]
    [Requirement("ABUSE-66")]
    [Requirement("TURN-B27")]
    public void ChannelNumberOutsideItsRange_IsABadRequest(ushort channel) =>
        Assert.Equal(StunError.BadRequest, _client.ChannelBind(channel, Peer).Error);

    [Theory]
    [InlineData(0x7FFF, StunError.None)]
    [InlineData(0x8000, StunError.BadRequest)]
    public void Rfc5766Channels_WidenTheRange(ushort channel, StunError error)
    {
        var fixture = new EngineFixture(new EngineSettings { Rfc5766Channels = true });
        var client = fixture.NewClient();
        client.Allocate();

        Assert.Equal(error, client.ChannelBind(channel, Peer).Error);
    }

    [Fact]
    [Requirement("RFC8656-12.2")]
    [Requirement("TURN-B27")]
    [Requirement("ABUSE-64")]
    public void ChannelBind_RefusesWhatAPermissionWould()
    {
        Assert.Equal(StunError.Forbidden, _client.ChannelBind(0x4000, "127.0.0.1:1").Error);
        Assert.Equal(StunError.PeerAddressFamilyMismatch, _client.ChannelBind(0x4000, "[2001:db8::1]:1").Error);
        Assert.Equal(StunError.BadRequest, _client.ChannelBind(0x4000, "203.0.113.9:0").Error);
        Assert.Equal(StunError.BadRequest, _client.Request(StunMethod.ChannelBind)!.Error);
    }

    [Fact]
    [Requirement("RFC8656-12")]
    [Requirement("ABUSE-66")]
    [Requirement("TURN-B27")]
    public void NumberAndPeer_BelongTogether_UntilFiveMinutesAfterTheirEnd()
    {
        Assert.True(_client.ChannelBind(0x4000, Peer).IsSuccess);
        Assert.Equal(StunError.BadRequest, _client.ChannelBind(0x4000, "203.0.113.10:1").Error);
        Assert.Equal(StunError.BadRequest, _client.ChannelBind(0x4001, Peer).Error);
        Assert.True(_client.ChannelBind(0x4001, "203.0.113.9:7001").IsSuccess);

        _fixture.Advance(899.999);
        _fixture.Sweep();
        Assert.Equal(StunError.BadRequest, _client.ChannelBind(0x4000, "203.0.113.10:1").Error);
        Assert.Equal(StunError.BadRequest, _client.ChannelBind(0x4002, Peer).Error);
        _fixture.Advance(0.001);
        Assert.True(_client.ChannelBind(0x4002, Peer).IsSuccess);
        _fixture.Sweep();
        Assert.Equal([0x40, 0x02], _fixture.FromPeer(_client, Peer, [1])![..2]);
        Assert.True(_client.ChannelBind(0x4000, "203.0.113.10:1").IsSuccess);
        Assert.Equal([0x40, 0x00], _fixture.FromPeer(_client, "203.0.113.10:1", [1])![..2]);
    }

    [Fact]
    [Requirement("RFC8656-12")]
    [Requirement("ABUSE-69")]
    [Requirement("TURN-B28")]
    public void Channel_Lives600Seconds_AndDataDoesNotRenewIt()
    {
        _client.ChannelBind(0x4000, Peer);
        _fixture.Advance(299);
        _client.CreatePermission(Peer);
        _client.SendOnChannel(0x4000, [1]);
        _fixture.Advance(299);
        _client.CreatePermission(Peer);
        _fixture.Advance(1.999);
        Assert.Equal(OutcomeKind.ToPeer, _client.SendOnChannel(0x4000, [1]).Kind);
        Assert.Equal(0x40, _fixture.FromPeer(_client, Peer, [1])![0]);
        _fixture.Advance(0.001);

        Assert.Equal(DropReason.UnboundChannel, _client.SendOnChannel(0x4000, [1]).DropReason);
        Assert.Equal(StunMethod.Data, new StunAnswer(_fixture.FromPeer(_client, Peer, [1])!).Message.Method);
    }

    [Fact]
    [Requirement("RFC8656-9")]
    public void PermissionThatIsGivenAgain_RevivesTheChannelThatOutlivedIt()
    {
        _client.ChannelBind(0x4000, Peer);
        _fixture.Advance(301);
        _fixture.Sweep();
        Assert.Equal(DropReason.NoPermission, _client.SendOnChannel(0x4000, [1]).DropReason);
        Assert.Null(_fixture.FromPeer(_client, Peer, [1]));
        _client.CreatePermission(Peer);

        Assert.Equal(OutcomeKind.ToPeer, _client.SendOnChannel(0x4000, [1]).Kind);
        Assert.Equal(0x40, _fixture.FromPeer(_client, Peer, [1])![0]);
    }

    [Fact]
    [Requirement("ABUSE-63")]
    [Requirement("RFC8656-21.1.7")]
    public void ServersOwnAddresses_AreNotReached_ThoughTheirRangeIsAllowed()
    {
        var own = EngineFixture.OwnAddress.ToString();

        Assert.Equal(StunError.Forbidden, _client.ChannelBind(0x4000, own).Error);
        _client.CreatePermission(own);
        Assert.Equal(DropReason.PeerForbidden, _client.Send(own, [1]).DropReason);
        Assert.Equal(OutcomeKind.ToPeer, _client.Send("203.0.113.1:6380", [1]).Kind);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1200)]
    [Requirement("RFC8656-11.2")]
    [Requirement("RFC8656-11.4")]
    [Requirement("TURN-B24")]
    public void SendAndData_CarryAnyPayload(int length)
    {
        var payload = Enumerable.Range(0, length).Select(i => (byte)i).ToArray();
        _client.CreatePermission(Peer);
        var outcome = _client.Send(Peer, payload);
        var data = new StunAnswer(_fixture.FromPeer(_client, Peer, payload)!);

        Assert.Equal((OutcomeKind.ToPeer, length), (outcome.Kind, outcome.Length));
        Assert.Equal(EngineClient.Peer(Peer), outcome.Peer);
        Assert.Equal((StunMethod.Data, StunClass.Indication), (data.Message.Method, data.Message.Class));
        Assert.Equal(EngineClient.Peer(Peer), data.Address(StunAttributeType.XorPeerAddress));
        Assert.Equal(payload, data.Value(StunAttributeType.Data));
    }

    [Theory]
    [InlineData(ClientTransport.Udp, 5, 9)]
    [InlineData(ClientTransport.Tcp, 5, 12)]
    [InlineData(ClientTransport.Udp, 0, 4)]
    [InlineData(ClientTransport.Tcp, 0, 4)]
    [InlineData(ClientTransport.Tcp, 8, 12)]
    [Requirement("RFC8656-12.5")]
    internal void ChannelDataToTheClient_IsPaddedWithZeroOnStreamsAlone(ClientTransport transport, int length, int total)
    {
        var client = _fixture.NewClient(transport: transport);
        client.Allocate();
        client.ChannelBind(0x4123, Peer);
        var message = _fixture.FromPeer(client, Peer, Enumerable.Repeat((byte)7, length).ToArray())!;

        Assert.Equal(total, message.Length);
        Assert.True(ChannelData.TryRead(message, out var channel, out var payload));
        Assert.Equal((0x4123, length), (channel, payload.Length));
        Assert.DoesNotContain(message[(4 + length)..], octet => octet != 0);
    }

    [Fact]
    [Requirement("RFC8656-11.2")]
    [Requirement("ABUSE-67")]
    [Requirement("TURN-B2")]
    [Requirement("TURN-B24")]
    [Requirement("TURN-A8")]
    public void Send_WithoutPermissionAllocationOrAnAttribute_IsDropped()
    {
        Assert.Equal(DropReason.NoPermission, _client.Send(Peer, [1]).DropReason);
        Assert.Equal(DropReason.NoAllocation, _fixture.NewClient().Send(Peer, [1]).DropReason);
        _client.CreatePermission(Peer);
        Assert.Equal(DropReason.PeerForbidden, _client.Send("203.0.113.9:0", [1]).DropReason);
        Assert.Equal(
            DropReason.Malformed, _fixture.Route(StunRequest.Plain(StunMethod.Send, null, StunClass.Indication), _client.Flow).DropReason);
        Assert.Equal(
            DropReason.UnknownAttributeInIndication,
            _client.Send(Peer, [1], (ref StunMessageWriter more) => more.Write((StunAttributeType)0x7FFF, [])).DropReason);
    }

    [Fact]
    [Requirement("RFC8656-12.6")]
    [Requirement("ABUSE-21")]
    [Requirement("ABUSE-67")]
    [Requirement("TURN-B29")]
    public void ChannelData_OnlyPassesWhole_Bound_AndFromItsOwnClient()
    {
        _client.ChannelBind(0x4000, Peer);

        Assert.Equal(DropReason.UnboundChannel, _client.SendOnChannel(0x4001, [1]).DropReason);
        Assert.Equal(DropReason.Malformed, _fixture.Route([0x40, 0, 0, 9, 1], _client.Flow).DropReason);
        Assert.Equal(DropReason.Malformed, _fixture.Route([0x40, 0, 0], _client.Flow).DropReason);
        Assert.Equal(DropReason.NoAllocation, _fixture.NewClient().SendOnChannel(0x4000, [1]).DropReason);
        var padded = _fixture.Route([0x40, 0, 0, 1, 9, 0, 0, 0], _client.Flow);
        Assert.Equal((OutcomeKind.ToPeer, 1), (padded.Kind, padded.Length));
        Assert.Equal(OutcomeKind.ToPeer, _client.SendOnChannel(0x4000, []).Kind);
    }

    [Theory]
    [InlineData("")]
    [InlineData("00")]
    [InlineData("80000000")]
    [InlineData("16FEFF00")]
    [InlineData("FF")]
    [Requirement("RFC8656-12")]
    [Requirement("ABUSE-1")]
    [Requirement("ABUSE-6")]
    [Requirement("TURN-B30")]
    public void Garbage_IsDropped(string octets)
    {
        Assert.Null(_fixture.Send(Convert.FromHexString(octets), _client.Flow));
        Assert.Equal(DropReason.Malformed, _fixture.LastDrop);
    }

    [Theory]
    [InlineData(Peer, 3, 3, 1500u, "0000060300000000")]
    [InlineData(Peer, 3, 4, 1280u, "0000060400000500")]
    [InlineData(Peer, 11, 0, 0u, "0000160000000000")]
    [InlineData(Peer, 5, 0, 0u, null)]
    [InlineData(Peer, 0, 0, 0u, null)]
    [InlineData("203.0.113.99:1", 3, 3, 0u, null)]
    [Requirement("RFC8656-11.5")]
    [Requirement("RFC8656-18.13")]
    [Requirement("TURN-B26")]
    public void Icmp_IsToldTheClient_UnderAPermission(string peer, byte type, byte code, uint mtu, string? value)
    {
        _client.ChannelBind(0x4000, Peer);
        var reply = new byte[TurnEngine.ReplyBufferLength];
        var outcome =
            _fixture.Engine.HandleIcmp(_client.Allocation, EngineClient.Peer(peer), new IcmpError(type, code, mtu), _fixture.Time, reply);
        Assert.Equal(value is null ? OutcomeKind.Drop : OutcomeKind.ToClient, outcome.Kind);
        if (value is null) return;

        var indication = new StunAnswer(reply.AsSpan(outcome.Offset, outcome.Length).ToArray());
        Assert.Equal((StunMethod.Data, StunClass.Indication), (indication.Message.Method, indication.Message.Class));
        Assert.Equal(EngineClient.Peer(peer), indication.Address(StunAttributeType.XorPeerAddress));
        Assert.Equal(value, Convert.ToHexString(indication.Value(StunAttributeType.Icmp)));
        Assert.False(indication.Has(StunAttributeType.Data));
    }

    [Fact]
    [Requirement("RFC8656-11.5")]
    [Requirement("TURN-B26")]
    public void Icmpv6_HasTypesOfItsOwn()
    {
        Assert.True(new IcmpError(2, 0, 1280).IsForClients(StunAddressFamily.IPv6));
        Assert.Equal(1280u, new IcmpError(2, 0, 1280).ErrorData(StunAddressFamily.IPv6));
        Assert.False(new IcmpError(11, 0, 0).IsForClients(StunAddressFamily.IPv6));
        Assert.Equal(0u, new IcmpError(3, 4, 1280).ErrorData(StunAddressFamily.IPv6));
    }

    [Fact]
    [Requirement("RFC8656-11.3")]
    public void DatagramThatNoDataIndicationHolds_IsDropped_AndTheStreamStaysWhole()
    {
        var client = _fixture.NewClient(transport: ClientTransport.Tcp);
        client.Allocate((ref StunMessageWriter request) =>
        {
            StunRequest.UdpTransport(ref request);
            request.Write(StunAttributeType.RequestedAddressFamily, [2, 0, 0, 0]);
        });
        client.CreatePermission("[2001:db8::9]:7000");

        Assert.Null(_fixture.FromPeer(client, "[2001:db8::9]:7000", new byte[65505]));
        var longest = _fixture.FromPeer(client, "[2001:db8::9]:7000", new byte[65504]);
        Assert.Equal(longest!.Length, StreamFraming.FrameLength(longest));
    }

    [Fact]
    [Requirement("RFC8656-11.3")]
    [Requirement("ABUSE-68")]
    [Requirement("TURN-B25")]
    public void RelayPath_AllocatesNothing()
    {
        _client.ChannelBind(0x4000, Peer);
        _client.CreatePermission("203.0.113.10:1");
        var up = new byte[] { 0x40, 0, 0, 4, 1, 2, 3, 4 };
        var send = StunRequest.Plain(
            StunMethod.Send,
            (ref StunMessageWriter message) =>
            {
                message.WriteXorAddress(StunAttributeType.XorPeerAddress, EngineClient.Peer("203.0.113.10:1"));
                message.Write(StunAttributeType.Data, new byte[100]);
            },
            StunClass.Indication);
        var down = new byte[TurnEngine.Headroom + 100 + TurnEngine.Tailroom];
        var (channelPeer, otherPeer) = (EngineClient.Peer(Peer), EngineClient.Peer("203.0.113.10:1"));
        var reply = new byte[TurnEngine.ReplyBufferLength];

        int Once()
        {
            var relayed = 0;
            if (_fixture.Engine.HandleClient(up, _client.Flow, _fixture.Path, _fixture.Time, reply).Kind == OutcomeKind.ToPeer) relayed++;
            if (_fixture.Engine.HandleClient(send, _client.Flow, _fixture.Path, _fixture.Time, reply).Kind == OutcomeKind.ToPeer) relayed++;
            if (_fixture.Engine.HandlePeer(_client.Allocation, channelPeer, down, _fixture.Time).Kind == OutcomeKind.ToClient) relayed++;
            if (_fixture.Engine.HandlePeer(_client.Allocation, otherPeer, down, _fixture.Time).Kind == OutcomeKind.ToClient) relayed++;
            return relayed;
        }

        var total = 0;
        var allocated = Garbage.Of(() =>
        {
            for (var i = 0; i < 5_000; i++) total += Once();
        });

        Assert.Equal(4 * 20_000, total);
        Assert.Equal(0, allocated);
    }
}
