using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>A sweep returns the memory of expired permissions and channels, and changes nothing else (RFC 8656 §9, §12).</summary>
public sealed class SweepTests
{
    private const string Peer = "203.0.113.9:7000";
    private const string OtherPeer = "203.0.113.10:7000";

    private readonly EngineFixture _fixture = new();
    private readonly EngineClient _client;

    public SweepTests()
    {
        _client = _fixture.NewClient();
        _client.Allocate(StunRequest.All(StunRequest.UdpTransport, StunRequest.Lifetime(3600)));
    }

    [Fact]
    [Requirement("RFC8656-9")]
    public void Permission_IsForgottenOnlyAfterItsEnd()
    {
        _client.CreatePermission(Peer);
        _fixture.Sweep();
        Assert.Equal(OutcomeKind.ToPeer, _client.Send(Peer, [1]).Kind);

        _fixture.Advance(300);
        _fixture.Sweep();
        Assert.Equal(0, _client.Allocation.PermissionCount);
    }

    [Fact]
    [Requirement("RFC8656-12")]
    public void Channel_IsForgottenAfterItsCoolDown_AndItsPermissionWithIt()
    {
        _client.ChannelBind(0x4000, Peer);
        _fixture.Advance(899.999);
        _fixture.Sweep();
        Assert.Equal((1, 1), (_client.Allocation.ChannelCount, _client.Allocation.PermissionCount));

        _fixture.Advance(0.001);
        _fixture.Sweep();
        Assert.Equal((0, 0), (_client.Allocation.ChannelCount, _client.Allocation.PermissionCount));
    }

    [Fact]
    [Requirement("RFC8656-9")]
    [Requirement("RFC8656-12")]
    public void PeerOfAForgottenChannel_IsReachedUnderANewPermission()
    {
        _client.ChannelBind(0x4000, Peer);
        _fixture.Advance(900);
        _fixture.Sweep();
        _client.CreatePermission(Peer);

        Assert.Equal(StunMethod.Data, new StunAnswer(_fixture.FromPeer(_client, Peer, [1])!).Message.Method);
    }

    [Fact]
    [Requirement("RFC8656-9")]
    [Requirement("RFC8656-12")]
    public void PermissionOfEachChannel_CanBeGivenAgain()
    {
        _client.ChannelBind(0x4000, Peer);
        _client.ChannelBind(0x4001, OtherPeer);
        _fixture.Advance(301);
        _fixture.Sweep();
        _client.CreatePermission(Peer, OtherPeer);

        Assert.Equal(OutcomeKind.ToPeer, _client.SendOnChannel(0x4000, [1]).Kind);
        Assert.Equal(OutcomeKind.ToPeer, _client.SendOnChannel(0x4001, [1]).Kind);
    }

    /// <summary>The same without a sweep: a bind releases what its number and its peer were bound to before.</summary>
    [Fact]
    [Requirement("RFC8656-12.2")]
    public void NumberAfterItsCoolDown_GoesToAnotherPeer_AndItsFormerPeerToAnotherNumber()
    {
        _client.ChannelBind(0x4000, Peer);
        _fixture.Advance(900);
        Assert.True(_client.ChannelBind(0x4000, OtherPeer).IsSuccess);
        Assert.True(_client.ChannelBind(0x4001, Peer).IsSuccess);

        Assert.Equal(EngineClient.Peer(OtherPeer), _client.SendOnChannel(0x4000, [1]).Peer);
        Assert.Equal(EngineClient.Peer(Peer), _client.SendOnChannel(0x4001, [1]).Peer);
        Assert.Equal([0x40, 0x00], _fixture.FromPeer(_client, OtherPeer, [1])![..2]);
        Assert.Equal([0x40, 0x01], _fixture.FromPeer(_client, Peer, [1])![..2]);
        Assert.Equal(2, _client.Allocation.ChannelCount);
    }

    [Fact]
    [Requirement("RFC8656-12.2")]
    public void PeerAfterTheCoolDownOfItsNumber_GoesToAnotherNumber()
    {
        _client.ChannelBind(0x4000, Peer);
        _fixture.Advance(900);
        Assert.True(_client.ChannelBind(0x4001, Peer).IsSuccess);

        Assert.Equal(DropReason.UnboundChannel, _client.SendOnChannel(0x4000, [1]).DropReason);
        Assert.Equal(1, _client.Allocation.ChannelCount);
    }
}
