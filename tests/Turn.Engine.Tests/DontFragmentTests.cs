using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>DONT-FRAGMENT in an Allocate and in a Send indication (RFC 8656 §7.2, §11.2, §14).</summary>
public sealed class DontFragmentTests
{
    private const string Peer = "203.0.113.9:7000";
    private const string PeerIPv6 = "[2001:db8::9]:7000";

    private readonly EngineFixture _fixture = new();

    [Fact]
    [Requirement("TURN-B9")]
    [Requirement("RFC8656-7.2-4")]
    public void WhereDfCannotBeSet_TheAttributeIsUnknown()
    {
        var client = new EngineFixture(new EngineSettings { DontFragment = false }).NewClient();
        var answer = client.TryAllocate(StunRequest.UdpWith(StunAttributeType.DontFragment))!;
        Assert.Equal(StunError.UnknownAttribute, answer.Error);
        Assert.Equal("001A", Convert.ToHexString(answer.Value(StunAttributeType.UnknownAttributes)));
        Assert.True(client.Verifies(answer));

        client.Allocate();
        client.CreatePermission(Peer);
        Assert.Equal(DropReason.UnknownAttributeInIndication, client.Send(Peer, [1], DontFragment).DropReason);
    }

    [Fact]
    [Requirement("TURN-B9")]
    [Requirement("TURN-B31")]
    public void Send_WithTheAttribute_IsNotFragmented_AllElseMayBe()
    {
        var client = _fixture.NewClient();
        client.Allocate(StunRequest.UdpWith(StunAttributeType.DontFragment));
        client.ChannelBind(0x4000, Peer);

        Assert.True(client.Send(Peer, [1], DontFragment).DontFragment);
        Assert.False(client.Send(Peer, [1]).DontFragment);
        Assert.False(client.SendOnChannel(0x4000, [1]).DontFragment);
    }

    [Fact]
    [Requirement("TURN-B31")]
    [Requirement("RFC8656-13")]
    public void ToIPv6_AndBetweenFamilies_TheAttributeIsIgnored()
    {
        var client = _fixture.NewClient();
        client.Allocate(StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0));
        client.CreatePermission(PeerIPv6);
        var sent = client.Send(PeerIPv6, [1], DontFragment);
        Assert.Equal((OutcomeKind.ToPeer, false), (sent.Kind, sent.DontFragment));

        var flow = _fixture.NewFlow() with { Client = TransportAddress.From(IPEndPoint.Parse("[2001:db8::7]:5000")) };
        var overIPv6 = new EngineClient(_fixture, flow, client.Credential);
        overIPv6.Allocate(StunRequest.UdpWith(StunAttributeType.DontFragment));
        overIPv6.CreatePermission(Peer);
        sent = overIPv6.Send(Peer, [1], DontFragment);
        Assert.Equal((OutcomeKind.ToPeer, false), (sent.Kind, sent.DontFragment));
    }

    private static void DontFragment(ref StunMessageWriter indication) => indication.Write(StunAttributeType.DontFragment, []);
}
