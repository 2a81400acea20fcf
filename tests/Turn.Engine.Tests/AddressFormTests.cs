using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>How address ranges are read, and addresses that only resemble one of the forms with an IPv4 address inside.</summary>
public sealed class AddressFormTests
{
    [Theory]
    [InlineData("10.0.0.0/8", "10.1.2.3")]
    [InlineData("2001:db8::/32", "2001:db8::1")]
    public void PrefixOfTheConfiguration_IsRead(string text, string inside)
    {
        Assert.True(AddressRange.TryParse(text, out var range));
        Assert.Equal(AddressRange.Parse(text), range);
        Assert.True(range.Contains(InternetAddress.Parse(inside)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("10.0.0.0")]
    [InlineData("10.0.0.0/33")]
    [InlineData("example.org/8")]
    public void OtherText_IsNotAPrefix(string text)
    {
        Assert.False(AddressRange.TryParse(text, out var range));
        Assert.Equal(default, range);
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.0", 32)]
    [InlineData("2001:db8::1", "2001:db8::", 128)]
    public void RangeOfOneAddress_ContainsNoOther(string address, string other, int prefixLength)
    {
        var range = AddressRange.Of(InternetAddress.Parse(address));

        Assert.Equal(prefixLength, range.PrefixLength);
        Assert.True(range.Contains(InternetAddress.Parse(address)));
        Assert.False(range.Contains(InternetAddress.Parse(other)));
    }

    /// <summary>Limits count the /64 of an IPv6 client, and no two networks as one.</summary>
    [Theory]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
    [InlineData("192.0.2.1", "192.0.2.1")]
    [Requirement("ABUSE-30")]
    public void NetworkOfAClient_IsItsFirstHalf(string client, string network) =>
        Assert.Equal(InternetAddress.Parse(network), ClientNetwork.Of(InternetAddress.Parse(client)));

    [Fact]
    [Requirement("RFC8656-21.4")]
    public void LoopbackRanges_AllowTheLoopbackOfBothFamilies()
    {
        var policy = new PeerPolicy(PeerPolicy.Loopback, [], new HashSet<TransportAddress>());

        Assert.True(policy.Allows(InternetAddress.Parse("127.0.0.1")));
        Assert.True(policy.Allows(InternetAddress.Parse("::1")));
        Assert.False(policy.Allows(InternetAddress.Parse("::2")));
    }

    /// <summary>Only ::ffff:0:a.b.c.d is the translated form. With another number before the IPv4 address it has no such address.</summary>
    [Fact]
    [Requirement("RFC8656-21.4")]
    public void AddressLikeATranslatedOne_IsJudgedAsAWhole()
    {
        var policy = new PeerPolicy([AddressRange.Parse("::ffff:5:0:0/96")], [], new HashSet<TransportAddress>());

        Assert.True(policy.Allows(InternetAddress.Parse("::ffff:5:7f00:1")));
    }

    [Theory]
    [InlineData("[::ffff:127.0.0.1]:50000")]
    [InlineData("[::ffff:127.0.0.2]:3478")]
    [Requirement("ABUSE-63")]
    public void WrappedAddress_IsTheServersOwnOnlyIfTheInnerOneIs(string peer)
    {
        var policy = new PeerPolicy([], [], new HashSet<TransportAddress> { EngineClient.Peer("127.0.0.1:3478") });

        Assert.False(policy.IsOwn(EngineClient.Peer(peer)));
    }
}
