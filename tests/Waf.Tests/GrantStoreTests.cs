using System.Diagnostics;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf.Tests;

public sealed class GrantStoreTests
{
    private static readonly IssuedToken Token = new("", "k1", "", "", TimeSpan.FromMinutes(10), "tid");

    private bool _isAway;

    [Fact]
    [Requirement("ABUSE-73")]
    public async Task RedisThatGoesAwayTwice_IsLoggedEachTime_AndItsReturnAlso()
    {
        using var logs = new LogRecorder();
        using var factory = new LoggerFactory([logs]);
        var grants = new GrantStore(factory.CreateLogger<GrantStore>(), TimeProvider.System, new(null, null), Redis());

        foreach (var isAway in (bool[])[true, true, false, false, true])
        {
            _isAway = isAway;
            await grants.WriteAsync(Token, WafApp.Client, null, isGuest: false);
        }

        Assert.Equal(2, logs.Records.Count(record => record.Contains("tokens are issued without a grant", StringComparison.Ordinal)));
        Assert.Single(logs.Records, record => record.Contains("Redis answers again", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(false, ActivityStatusCode.Unset)]
    [InlineData(true, ActivityStatusCode.Error)]
    public async Task Write_IsASpanSet_WithItsFailure(bool isAway, ActivityStatusCode expected)
    {
        _isAway = isAway;
        using var app = new WafApp();
        using var factory = new LoggerFactory();
        using var request = new Activity("request").Start();

        await new GrantStore(factory.CreateLogger<GrantStore>(), TimeProvider.System, new(null, null), Redis())
            .WriteAsync(Token, WafApp.Client, null, isGuest: false);

        var span = Assert.Single(app.SpansOf(request.TraceId));
        Assert.Equal(("SET", expected), (span.DisplayName, span.Status));
    }

    [Fact]
    public async Task Grant_IsFound()
    {
        var grant = new Grant(WafApp.Client, null, null, 0);
        Assert.Equal(grant, await FindAsync(grant.ToJson()));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("not JSON")]
    public async Task ValueThatIsNotAGrant_NamesNoClient(string? value) => Assert.Null((await FindAsync(value))?.ClientId);

    private static Task<Grant?> FindAsync(RedisValue value) => GrantStore.FindAsync(
        FakeRedis.Create<IDatabase>(_ => Task.FromResult(value)), new TokenIdentity("k1", "tid", "turn.example.org", default, default));

    private IConnectionMultiplexer Redis()
    {
        var database = FakeRedis.Create<IDatabase>(_ => _isAway
            ? Task.FromException<bool>(new TimeoutException("away"))
            : Task.FromResult(true));
        return FakeRedis.Create<IConnectionMultiplexer>(_ => database);
    }
}
