using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>Live allocations are bounded, and each gives its place back exactly once (RFC 8656 §21.3.1).</summary>
public sealed class QuotaTests
{
    private static readonly InternetAddress First = InternetAddress.Parse("192.0.2.1");
    private static readonly InternetAddress Second = InternetAddress.Parse("192.0.2.2");
    private static readonly TokenName Token = new("k1", "token");

    [Fact]
    [Requirement("ABUSE-57")]
    [Requirement("TURN-B15")]
    [Requirement("TURN-B33")]
    public void EachQuota_IsReachedByItself_AndFreedByTheEnd()
    {
        var quotas = new AllocationQuotas(new QuotaSettings { PerClientAddress = 2, PerToken = 3, Total = 4 });
        using var one = quotas.TryTake(First, Token);
        using var two = quotas.TryTake(First, Token);
        Assert.Null(quotas.TryTake(First, null));
        using var three = quotas.TryTake(Second, Token);
        Assert.Null(quotas.TryTake(Second, Token));
        var four = quotas.TryTake(Second, null);
        Assert.NotNull(four);
        Assert.Null(quotas.TryTake(InternetAddress.Parse("192.0.2.3"), null));

        four.Dispose();
        four.Dispose();
        using var again = quotas.TryTake(InternetAddress.Parse("192.0.2.3"), null);
        Assert.NotNull(again);
        Assert.Null(quotas.TryTake(InternetAddress.Parse("192.0.2.4"), null));
    }

    [Fact]
    [Requirement("TURN-B33")]
    public void AddressesOfOneIPv6Network_CountTogether_ThoseOfIPv4DoNot()
    {
        var quotas = new AllocationQuotas(new QuotaSettings { PerClientAddress = 1 });
        var one = quotas.TryTake(InternetAddress.Parse("2001:db8:1:2::1"), null);
        Assert.NotNull(one);
        Assert.Null(quotas.TryTake(InternetAddress.Parse("2001:db8:1:2:ffff:ffff:ffff:ffff"), null));
        Assert.NotNull(quotas.TryTake(InternetAddress.Parse("2001:db8:1:3::1"), null));
        Assert.NotNull(quotas.TryTake(First, null));
        Assert.NotNull(quotas.TryTake(Second, null));

        one.Dispose();
        Assert.NotNull(quotas.TryTake(InternetAddress.Parse("2001:db8:1:2::2"), null));
    }

    [Fact]
    [Requirement("TURN-B33")]
    public void UserQuota_CountsTokensOfOneUserTogether()
    {
        var quotas = new AllocationQuotas(new QuotaSettings { PerUser = 1 });
        var one = quotas.TryTake(First, Token)!;
        using var two = quotas.TryTake(Second, new TokenName("k1", "other"))!;

        Assert.True(one.TryTakeFor("user"));
        Assert.False(two.TryTakeFor("user"));
        Assert.True(two.TryTakeFor("another"));
        one.Dispose();
        using var three = quotas.TryTake(First, Token)!;
        Assert.True(three.TryTakeFor("user"));
    }

    [Fact]
    public void EndOfAnAllocation_IsToldOnce()
    {
        var told = 0;
        var lease = new AllocationQuotas(new QuotaSettings()).TryTake(First, null)!;
        lease.OnReturned = () => told++;
        lease.Dispose();
        lease.Dispose();

        Assert.Equal(1, told);
    }
}
