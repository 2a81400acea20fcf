using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Engine.Peers;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>One case for each range of the registries, with addresses that no other range and no inner address refuses.</summary>
public sealed class SpecialPurposeTests
{
    private static readonly PeerPolicy Default = new([], [], new HashSet<TransportAddress>());

    public static TheoryData<string> Ranges() => [.. SpecialPurposeRegistries.IPv4, .. SpecialPurposeRegistries.IPv6];

    public static TheoryData<string, string, string> Embedding()
    {
        TheoryData<string, string, string> rows = [];
        foreach (var (range, withPublic, withLoopback) in SpecialPurposeRegistries.Embedding) rows.Add(range, withPublic, withLoopback);
        return rows;
    }

    [Theory]
    [MemberData(nameof(Ranges))]
    [Requirement("ABUSE-58")]
    [Requirement("RFC8656-21.3.1")]
    public void FirstMiddleAndLastAddress_AreDenied(string range)
    {
        var parsed = AddressRange.Parse(range);
        var isIPv4 = parsed.Prefix.Family == StunAddressFamily.IPv4;
        var host = (isIPv4 ? 32 : 128) - parsed.PrefixLength;
        var first = parsed.Prefix.Bits;
        var last = host == 128 ? UInt128.MaxValue : first + ((UInt128.One << host) - 1);

        foreach (var bits in new[] { first, first + ((last - first) / 3), last })
        {
            var address = isIPv4 ? InternetAddress.FromIPv4((uint)bits) : InternetAddress.FromIPv6(bits);
            Assert.False(Default.Allows(address), $"{address} of {range} is allowed");
        }
    }

    [Theory]
    [MemberData(nameof(Embedding))]
    [Requirement("ABUSE-62")]
    [Requirement("RFC8656-21.4")]
    [Requirement("TURN-B32")]
    public void RangeThatEmbedsIPv4_IsDenied_AlsoAroundAPublicAddress(string range, string withPublic, string withLoopback)
    {
        Assert.True(AddressRange.Parse(range).Contains(InternetAddress.Parse(withPublic)));
        Assert.True(AddressRange.Parse(range).Contains(InternetAddress.Parse(withLoopback)));
        Assert.False(Default.Allows(InternetAddress.Parse(withPublic)));
    }

    [Theory]
    [MemberData(nameof(Embedding))]
    [InlineData("2606:4700::/32", "2606:4700::5efe:808:808", "2606:4700::5efe:7f00:1")]
    [InlineData("2606:4700::/32", "2606:4700::200:5efe:808:808", "2606:4700::200:5efe:7f00:1")]
    [InlineData("::ffff:0:0:0/96", "::ffff:0:808:808", "::ffff:0:7f00:1")]
    [Requirement("ABUSE-62")]
    [Requirement("RFC8656-21.4")]
    [Requirement("TURN-B32")]
    public void AddressInside_IsJudged_WhereTheRangeAroundItIsAllowed(string range, string withPublic, string withLoopback)
    {
        var policy = new PeerPolicy([AddressRange.Parse(range)], [], new HashSet<TransportAddress>());

        Assert.True(policy.Allows(InternetAddress.Parse(withPublic)));
        Assert.False(policy.Allows(InternetAddress.Parse(withLoopback)));
    }
}
