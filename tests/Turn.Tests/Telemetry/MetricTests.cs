using StackExchange.Redis;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Tests.Admission;
using WebRtcIms.Turn.Tests.Hosting;

namespace WebRtcIms.Turn.Tests.Telemetry;

/// <summary>What is measured of quotas, caches and clocks.</summary>
public sealed class MetricTests : IAsyncLifetime
{
    private RedisServer? _redis;
    private ConnectionMultiplexer? _connection;

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _connection = await _redis.ConnectAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null) await _connection.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
    }

    [Fact]
    public async Task Caches_AreCountedByHitAndMiss_AndTheirTimeMeasured()
    {
        var host = new HostFixture(redis: _connection!);
        using var measurements = new Measurements(host.Node.Meters);
        var token = host.Engine.NewToken();
        for (var i = 0; i < 2; i++) await host.AskAsync(host.Engine.NewClient(token.Native), StunMethod.Allocate, StunRequest.UdpTransport);

        Assert.Equal(2, measurements.Sum("turn.cache.lookups", "cache=NodeReplay result=miss"));
        Assert.Equal(2, measurements.Sum("turn.cache.lookups", "cache=FleetReplay result=miss"));
        Assert.Equal(1, measurements.Sum("turn.cache.lookups", "cache=Lifetime result=hit"));
        Assert.Equal(1, measurements.Sum("turn.cache.lookups", "cache=Lifetime result=miss"));
        Assert.Equal(2, measurements.Sum("turn.cache.lookups", "cache=Grant result=miss"));
        Assert.True(measurements.Sum("turn.cache.duration", "") > 0);

        host.Node.Metrics.ObserveBreaker(host.Node.Tokens.Breaker);
        Assert.Equal(0, measurements.Read("turn.cache.breaker", ""));
        host.Node.Tokens.Breaker.Failed(isSlow: true);
        Assert.Equal(2, measurements.Read("turn.cache.breaker", ""));
    }

    [Fact]
    [Requirement("ABUSE-57")]
    public void QuotaUse_IsThatOfWhoeverUsesTheMost_AndRefusalsAreNamed()
    {
        var host = new HostFixture(redis: _connection!);
        using var measurements = new Measurements(host.Node.Meters);
        var quotas = new AllocationQuotas(new QuotaSettings { Total = 10, PerClientAddress = 2, PerToken = 5 });
        host.Node.Metrics.ObserveQuotas(quotas);
        var (one, other) = (InternetAddress.Parse("192.0.2.1"), InternetAddress.Parse("192.0.2.2"));
        using var first = quotas.TryTake(Claims.Of(one));
        using var second = quotas.TryTake(Claims.Of(one));
        using var third = quotas.TryTake(Claims.Of(other, new TokenName("k1", "t")));
        Assert.Null(quotas.TryTake(Claims.Of(one)));

        Assert.Equal(0.3, measurements.Read("turn.quota.use", "quota=Total"));
        Assert.Equal(1, measurements.Read("turn.quota.use", "quota=ClientAddress"));
        Assert.Equal(0.2, measurements.Read("turn.quota.use", "quota=Token"));
        Assert.Equal(1, measurements.Read("turn.quota.refusals", "quota=ClientAddress"));
        Assert.Equal(0, measurements.Read("turn.quota.refusals", "quota=Total"));
    }

    [Theory]
    [InlineData(5, 0, 0, StunError.None)]
    [InlineData(-5, 0, 0, StunError.None)]
    [InlineData(-60, 1, 0, StunError.Unauthenticated)]
    [InlineData(600 + 59, 0, 1, StunError.Unauthenticated)]
    [InlineData(600 + 3600, 0, 0, StunError.Unauthenticated)]
    [Requirement("ABUSE-50")]
    public void ClockThatDiffers_IsSuspected(int age, long ahead, long behind, StunError error)
    {
        var host = new HostFixture(redis: _connection!);
        using var measurements = new Measurements(host.Node.Meters);
        host.Node.Metrics.ObserveClockSkew(host.Engine.Authenticator);
        var answer = host.Engine.NewClient(host.Engine.NewToken(age: age).Native).TryAllocate();

        Assert.Equal(error, answer!.Error);
        Assert.Equal(ahead, measurements.Read("turn.clock_skew_suspected", "token=ahead"));
        Assert.Equal(behind, measurements.Read("turn.clock_skew_suspected", "token=behind"));
    }
}
