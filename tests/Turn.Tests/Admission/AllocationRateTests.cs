using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>Allocates with tokens in a minute.</summary>
public sealed class AllocationRateTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);

    private readonly AllocationQuotas _quotas =
        new(new QuotaSettings { AllocatesPerMinuteOfToken = 2, AllocatesPerMinuteOfClientAddress = 3 });

    [Fact]
    [Requirement("SEC-12")]
    public void RequestsOfAToken_AreBounded_FromWhicheverAddress_UntilTheMinuteIsOver()
    {
        Assert.True(TryCount("one", "192.0.2.1"));
        Assert.True(TryCount("one", "192.0.2.2"));
        Assert.False(TryCount("one", "192.0.2.3"));
        Assert.True(TryCount("two", "192.0.2.3"));
        Assert.Equal(1, _quotas.Refusals(Quota.RateOfToken));

        Assert.False(TryCount("one", "192.0.2.1", seconds: 59));
        Assert.True(TryCount("one", "192.0.2.1", seconds: 60));
    }

    [Fact]
    [Requirement("SEC-12")]
    public void RequestsOfAnAddress_AreBounded_WithWhicheverTokens_AndAnIPv6NetworkIsOneAddress()
    {
        for (var token = 1; token <= 3; token++) Assert.True(TryCount($"{token}", $"2001:db8:1:2::{token}"));
        Assert.False(TryCount("4", "2001:db8:1:2:ffff::9"));
        Assert.True(TryCount("4", "2001:db8:1:3::9"));
        Assert.Equal(1, _quotas.Refusals(Quota.RateOfClientAddress));
    }

    /// <summary>A refused request takes nothing from another limit.</summary>
    [Fact]
    [Requirement("SEC-12")]
    public void RefusedRequest_CountsNowhere()
    {
        Assert.True(TryCount("one", "192.0.2.1"));
        Assert.True(TryCount("one", "192.0.2.1"));
        for (var i = 0; i < 5; i++) Assert.False(TryCount("one", "192.0.2.1"));
        Assert.True(TryCount("two", "192.0.2.1"));
    }

    private bool TryCount(string token, string client, int seconds = 0) =>
        _quotas.TryCount(NameOf(token), InternetAddress.From(System.Net.IPAddress.Parse(client)), Now.AddSeconds(seconds));

    private static TokenName NameOf(string token) => new("k1", token);
}
