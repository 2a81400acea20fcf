using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Engine.Peers;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>Which peers may be relayed to (RFC 8656 §21.1.7, §21.3.1, §21.4).</summary>
public sealed class PeerPolicyTests
{
    private static readonly PeerPolicy Default = new([], [], new HashSet<TransportAddress>());

    [Theory]
    [InlineData("8.8.8.8")]
    [InlineData("1.1.1.1")]
    [InlineData("192.169.0.1")]
    [InlineData("172.32.0.1")]
    [InlineData("100.128.0.1")]
    [InlineData("2606:4700::1111")]
    public void PublicAddresses_AreAllowed(string peer) => Assert.True(Default.Allows(InternetAddress.Parse(peer)));

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("0.1.2.3")]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.255.255")]
    [InlineData("10.0.0.1")]
    [InlineData("172.16.0.1")]
    [InlineData("172.31.255.255")]
    [InlineData("192.168.1.1")]
    [InlineData("100.64.0.1")]
    [InlineData("100.127.255.255")]
    [InlineData("169.254.169.254")]
    [InlineData("192.0.0.8")]
    [InlineData("192.0.2.1")]
    [InlineData("198.18.0.1")]
    [InlineData("198.19.255.255")]
    [InlineData("198.51.100.1")]
    [InlineData("203.0.113.1")]
    [InlineData("224.0.0.1")]
    [InlineData("239.255.255.255")]
    [InlineData("240.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("fc00::1")]
    [InlineData("fdff::1")]
    [InlineData("fe80::1")]
    [InlineData("fec0::1")]
    [InlineData("ff02::1")]
    [InlineData("2001:db8::1")]
    [InlineData("100::1")]
    [InlineData("5f00::1")]
    [Requirement("ABUSE-58")]
    [Requirement("ABUSE-59")]
    [Requirement("ABUSE-60")]
    [Requirement("ABUSE-61")]
    [Requirement("RFC8656-21.3.1")]
    public void SpecialPurposeAddresses_AreDenied(string peer) => Assert.False(Default.Allows(InternetAddress.Parse(peer)));

    [Theory]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:8.8.8.8")]
    [InlineData("::127.0.0.1")]
    [InlineData("2002:7f00:1::")]
    [InlineData("2002:808:808::1")]
    [InlineData("2001:0:1:2:3:4:80ff:fffe")]
    [InlineData("64:ff9b::7f00:1")]
    [InlineData("64:ff9b:1::a00:1")]
    [InlineData("2606:4700::5efe:127.0.0.1")]
    [InlineData("2606:4700::200:5efe:10.0.0.1")]
    [InlineData("::ffff:0:127.0.0.1")]
    [Requirement("ABUSE-62")]
    [Requirement("RFC8656-21.4")]
    [Requirement("TURN-B32")]
    public void WrappedIPv4_IsDenied(string peer) => Assert.False(Default.Allows(InternetAddress.Parse(peer)));

    [Fact]
    [Requirement("ABUSE-62")]
    public void AllowingATunnelRange_DoesNotAllowWhatItWraps()
    {
        var policy = new PeerPolicy([AddressRange.Parse("64:ff9b::/96")], [], new HashSet<TransportAddress>());

        Assert.True(policy.Allows(InternetAddress.Parse("64:ff9b::808:808")));
        Assert.False(policy.Allows(InternetAddress.Parse("64:ff9b::7f00:1")));
    }

    [Fact]
    public void Order_IsAllowedThenDenied()
    {
        var policy = new PeerPolicy(
            [AddressRange.Parse("10.0.0.0/8")], [AddressRange.Parse("8.0.0.0/8"), AddressRange.Parse("10.1.0.0/16")],
            new HashSet<TransportAddress>());

        Assert.True(policy.Allows(InternetAddress.Parse("10.1.0.1")));
        Assert.False(policy.Allows(InternetAddress.Parse("8.8.8.8")));
        Assert.True(policy.Allows(InternetAddress.Parse("9.9.9.9")));
    }

    [Theory]
    [InlineData("127.0.0.1:3478", true)]
    [InlineData("[::ffff:127.0.0.1]:3478", true)]
    [InlineData("[64:ff9b::7f00:1]:3478", true)]
    [InlineData("127.0.0.1:50000", false)]
    [InlineData("127.0.0.2:3478", false)]
    [Requirement("ABUSE-63")]
    [Requirement("RFC8656-21.1.7")]
    [Requirement("TURN-B34")]
    public void OwnAddresses_AreKnownInEveryForm(string peer, bool own)
    {
        var policy = new PeerPolicy([], [], new HashSet<TransportAddress> { EngineClient.Peer("127.0.0.1:3478") });

        Assert.Equal(own, policy.IsOwn(EngineClient.Peer(peer)));
    }

    [Theory]
    [InlineData("10.0.0.0/8", "10.255.255.255", true)]
    [InlineData("10.0.0.0/8", "11.0.0.0", false)]
    [InlineData("0.0.0.0/0", "255.255.255.255", true)]
    [InlineData("::/0", "ffff::", true)]
    [InlineData("::/0", "1.2.3.4", false)]
    [InlineData("2001:db8::/33", "2001:db8:8000::", false)]
    [InlineData("2001:db8::1/128", "2001:db8::1", true)]
    public void Range_ContainsItsPrefix(string range, string address, bool contained) =>
        Assert.Equal(contained, AddressRange.Parse(range).Contains(InternetAddress.Parse(address)));
}
