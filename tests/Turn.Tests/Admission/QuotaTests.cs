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
    private static readonly TokenName Other = new("k1", "other");

    [Fact]
    [Requirement("ABUSE-57")]
    [Requirement("TURN-B15")]
    [Requirement("TURN-B33")]
    public void EachQuota_IsReachedByItself_AndFreedByTheEnd()
    {
        var quotas = new AllocationQuotas(new QuotaSettings { PerClientAddress = 2, PerToken = 3, Total = 4 });
        using var one = quotas.TryTake(Claims.Of(First, Token));
        using var two = quotas.TryTake(Claims.Of(First, Token));
        Assert.Null(quotas.TryTake(Claims.Of(First)));
        using var three = quotas.TryTake(Claims.Of(Second, Token));
        Assert.Null(quotas.TryTake(Claims.Of(Second, Token)));
        var four = quotas.TryTake(Claims.Of(Second));
        Assert.NotNull(four);
        Assert.Null(quotas.TryTake(Claims.Of(InternetAddress.Parse("192.0.2.3"))));

        four.Dispose();
        four.Dispose();
        using var again = quotas.TryTake(Claims.Of(InternetAddress.Parse("192.0.2.3")));
        Assert.NotNull(again);
        Assert.Null(quotas.TryTake(Claims.Of(InternetAddress.Parse("192.0.2.4"))));
    }

    [Fact]
    [Requirement("TURN-B33")]
    public void AddressesOfOneIPv6Network_CountTogether_ThoseOfIPv4DoNot()
    {
        var quotas = new AllocationQuotas(new QuotaSettings { PerClientAddress = 1 });
        var one = quotas.TryTake(Claims.Of(InternetAddress.Parse("2001:db8:1:2::1")));
        Assert.NotNull(one);
        Assert.Null(quotas.TryTake(Claims.Of(InternetAddress.Parse("2001:db8:1:2:ffff:ffff:ffff:ffff"))));
        Assert.NotNull(quotas.TryTake(Claims.Of(InternetAddress.Parse("2001:db8:1:3::1"))));
        Assert.NotNull(quotas.TryTake(Claims.Of(First)));
        Assert.NotNull(quotas.TryTake(Claims.Of(Second)));

        one.Dispose();
        Assert.NotNull(quotas.TryTake(Claims.Of(InternetAddress.Parse("2001:db8:1:2::2"))));
    }

    [Fact]
    [Requirement("TURN-B33")]
    public void UserQuota_CountsTokensOfOneUserTogether()
    {
        var quotas = new AllocationQuotas(new QuotaSettings { PerUser = 1 });
        var one = quotas.TryTake(Claims.Of(First, Token, "user"))!;
        Assert.Null(quotas.TryTake(Claims.Of(Second, Other, "user")));
        using var two = quotas.TryTake(Claims.Of(Second, Other, "another"));
        Assert.NotNull(two);
        one.Dispose();
        using var three = quotas.TryTake(Claims.Of(First, Token, "user"));
        Assert.NotNull(three);
    }

    [Fact]
    [Requirement("SEC-12")]
    [Requirement("TURN-B33")]
    public void AddressesOfAToken_CountUntilItsEnd_AlsoAfterTheirAllocations()
    {
        var quotas = new AllocationQuotas(new QuotaSettings { AddressesPerToken = 2, PerUser = 3 });
        AllocationClaim From(string address, int second, TokenName? token = null) =>
            Claims.Of(InternetAddress.Parse(address), token ?? Token) with
            {
                Now = DateTimeOffset.UnixEpoch.AddSeconds(second),
                TokenEnds = DateTimeOffset.UnixEpoch.AddSeconds(600),
            };
        quotas.TryTake(From("192.0.2.1", 0))!.Dispose();
        quotas.TryTake(From("2001:db8:1:2::1", 1))!.Dispose();

        Assert.Null(quotas.TryTake(From("192.0.2.3", 2)));
        Assert.Equal(1, quotas.Refusals(Quota.AddressesOfToken));
        Assert.Equal(0, quotas.Total);

        // A refused address shuts out none of the others, and another token has its own.
        Assert.NotNull(quotas.TryTake(From("192.0.2.1", 3)));
        Assert.NotNull(quotas.TryTake(From("2001:db8:1:2::2", 4)));
        Assert.NotNull(quotas.TryTake(From("192.0.2.3", 5, Other)));
        Assert.NotNull(quotas.TryTake(From("192.0.2.3", 600)));
    }

    [Theory]
    [InlineData("alice", "name:alice")]
    [InlineData("ti:lde", "name:ti:lde")]
    [Requirement("CLIENT-3")]
    [Requirement("SEC-12")]
    public void StaticUser_IsCountedByItsName(string name, string user) =>
        Assert.Equal(user, Credential.FromStaticUser(name, "secret", "example.org").User);

    [Fact]
    [Requirement("SEC-12")]
    public void AllocationsOfAUserOrOfAnAddress_HaveOneMeter_OthersAnother()
    {
        var quotas = new AllocationQuotas(new QuotaSettings());
        var (one, two, other) = (
            quotas.TryTake(Claims.Of(First, Token, "user"))!, quotas.TryTake(Claims.Of(Second, Other, "user"))!,
            quotas.TryTake(Claims.Of(First, Other, "another"))!);

        Assert.Same(one.UserTraffic, two.UserTraffic);
        Assert.NotSame(one.UserTraffic, other.UserTraffic);
        Assert.Same(one.AddressTraffic, other.AddressTraffic);
        Assert.NotSame(one.AddressTraffic, two.AddressTraffic);
        one.Dispose();
        var again = quotas.TryTake(Claims.Of(First, Token, "user"))!;
        Assert.Same(two.UserTraffic, again.UserTraffic);
        Assert.Same(other.AddressTraffic, again.AddressTraffic);
    }

    [Fact]
    [Requirement("SEC-12")]
    public void AllocationsUnderAPassword_AreNotMeteredTogether()
    {
        var lease = new AllocationQuotas(new QuotaSettings()).TryTake(Claims.Of(First, null, "gateway"))!;

        Assert.Equal((null, null), (lease.UserTraffic, lease.AddressTraffic));
    }

    [Fact]
    public void EndOfAnAllocation_IsToldOnce()
    {
        var told = 0;
        var lease = new AllocationQuotas(new QuotaSettings()).TryTake(Claims.Of(First))!;
        lease.OnReturned = () => told++;
        lease.Dispose();
        lease.Dispose();

        Assert.Equal(1, told);
    }
}
