using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Transport.Linux.Native;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>What a worker knows of the paths that do not take every segment.</summary>
public sealed class SegmentLimitsTests
{
    private static readonly InternetAddress Small = InternetAddress.Parse("192.0.2.1");
    private readonly SegmentLimits _limits = new();

    [Theory]
    [InlineData("192.0.2.2")]
    [InlineData("2001:db8::1")]
    [InlineData("::c000:201")]
    [Requirement("NET-01")]
    public void LimitOfOneDestination_IsNotOneOfAnother(string other)
    {
        _limits.Lower(Small, 1248);

        Assert.False(_limits.Allows(Small, 1249));
        Assert.True(_limits.Allows(InternetAddress.Parse(other), 1249));
    }

    [Fact]
    [Requirement("NET-01")]
    public void ShorterSegments_AreStillTried()
    {
        _limits.Lower(Small, 1248);

        Assert.True(_limits.Allows(Small, 1248));
        _limits.Lower(Small, 0);
        Assert.False(_limits.Allows(Small, 1));
        _limits.Lower(Small, 1248);
        Assert.False(_limits.Allows(Small, 1));
    }

    [Fact]
    [Requirement("NET-01")]
    public void PathThatMayHaveChanged_IsTriedAgain()
    {
        _limits.Lower(Small, 1248);
        for (var i = 0; i < SegmentLimits.DatagramsUntilRetry; i++) Assert.False(_limits.Allows(Small, 1400));

        Assert.True(_limits.Allows(Small, 1400));
        _limits.Lower(Small, 1248);
        Assert.False(_limits.Allows(Small, 1400));
    }

    [Fact]
    [Requirement("NET-01")]
    public void HoweverManyDestinationsAreKnown_TheMemoryStaysTheSame()
    {
        for (var i = 0U; i < 1000; i++) _limits.Lower(InternetAddress.FromIPv4(i), 1248);
        var allocated = Garbage.Of(() =>
        {
            for (var i = 0U; i < 100_000; i++)
            {
                _limits.Lower(InternetAddress.FromIPv4(i), 1248);
                if (_limits.Allows(InternetAddress.FromIPv4(i), 1249)) Assert.Fail("the last limit is not kept");
            }
        });

        Assert.Equal(0, allocated);
    }
}
