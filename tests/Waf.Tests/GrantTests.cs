using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf.Tests;

public sealed class GrantTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Token_LeavesAGrantWithTheTraceAndNoSecret()
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = new WafApp().With("ConnectionStrings:redis", redis.Address);
        var answer = (await new TokenRequest().With("sid", "pseudonym-1").SendAsync(app)).AssertOk();

        using var connection = await redis.ConnectAsync();
        var database = connection.GetDatabase();
        var key = $"turn:grant:k1:{TokenId(answer.AccessToken)}";
        var grant = JsonElement.Parse((string)(await database.StringGetAsync(key))!);
        var timeToLive = await database.KeyTimeToLiveAsync(key);

        Assert.Equal(
            ["client_id", "exp", "pseudonym", "traceparent"], grant.EnumerateObject().Select(property => property.Name)
                .Order(StringComparer.Ordinal));
        Assert.Equal(WafApp.Client, grant.GetProperty("client_id").GetString());
        Assert.Equal("pseudonym-1", grant.GetProperty("pseudonym").GetString());
        Assert.InRange(timeToLive!.Value, TimeSpan.FromSeconds(595), TimeSpan.FromSeconds(600));
        var token = WafApp.Decrypt("k1", answer.AccessToken, WafApp.TurnServer);
        Assert.InRange(grant.GetProperty("exp").GetInt64() - token.Timestamp.ToDateTimeOffset().ToUnixTimeSeconds(), 600, 601);
        Assert.True(ActivityContext.TryParse(grant.GetProperty("traceparent").GetString(), null, out var parent));
        Assert.Contains(app.SpansOf(parent.TraceId), span => span.SpanId == parent.SpanId && span.DisplayName == "token issue");
    }

    [Theory]
    [InlineData("true", """{"packets_per_second":500,"bytes_per_second":375000}""")]
    [InlineData("false", null)]
    [InlineData(null, null)]
    [InlineData(
        "true", """{"packets_per_second":7,"bytes_per_second":0}""", "GuestTraffic:PacketsPerSecond=7", "GuestTraffic:BytesPerSecond=0")]
    [InlineData("true", null, "GuestTraffic:PacketsPerSecond=0", "GuestTraffic:BytesPerSecond=0")]
    [InlineData("false", """{"packets_per_second":0,"bytes_per_second":9}""", "UserTraffic:BytesPerSecond=9")]
    [Requirement("SEC-12")]
    public async Task Grant_HasTheLimitsOfAGuest_OrOfAUser(string? guest, string? traffic, params string[] settings)
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = new WafApp().With("ConnectionStrings:redis", redis.Address);
        foreach (var setting in settings) app.With($"Waf:{setting.Split('=')[0]}", setting.Split('=')[1]);
        var request = guest is null ? new TokenRequest() : new TokenRequest().With("guest", guest);
        var answer = (await request.SendAsync(app)).AssertOk();

        using var connection = await redis.ConnectAsync();
        var json = (string)(await connection.GetDatabase().StringGetAsync($"turn:grant:k1:{TokenId(answer.AccessToken)}"))!;
        Assert.Equal(traffic, JsonElement.Parse(json).TryGetProperty("traffic", out var found) ? found.GetRawText() : null);
    }

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("True")]
    [Requirement("SEC-12")]
    public async Task GuestThatIsNeitherTrueNorFalse_IsAnInvalidRequest(string guest)
    {
        using var app = new WafApp();
        var answer = await new TokenRequest().With("guest", guest).SendAsync(app);

        Assert.Equal("invalid_request", answer.Error);
    }

    [Fact]
    [Requirement("ABUSE-75")]
    public async Task Cluster_TakesGrantsAndRevocationsOnAllItsNodes()
    {
        await using var redis = await RedisCluster.StartAsync();
        using var app = new WafApp().With("ConnectionStrings:redis", redis.Address);
        using var client = app.CreateClient();
        for (var i = 0; i < 20; i++)
        {
            var token = (await new TokenRequest().SendAsync(app)).AssertOk().AccessToken;
            Assert.Equal(i + 1, await redis.CountKeysAsync("turn:grant:*"));
            using var request = new HttpRequestMessage(HttpMethod.Post, "/oauth2/revoke")
            {
                Headers = { Authorization = TokenRequest.Basic(WafApp.Client, WafApp.ClientSecret) },
                Content = new FormUrlEncodedContent([new("token", token)]),
            };
            using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        Assert.Equal(1, await redis.CountKeysAsync("turn:revoked"));
    }

    [Fact]
    public async Task EverythingInRedis_HasATimeToLiveAndNoSecret()
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = new WafApp().With("ConnectionStrings:redis", redis.Address);
        TokenAnswer[] answers =
        [
            (await new TokenRequest().SendAsync(app)).AssertOk(),
            (await new TokenRequest().With("alg", "HMAC-SHA1").PostAsync(app)).AssertOk(),
            (await new TokenRequest().With("aud", WafApp.SecondTurnServer).GetAsync(app)).AssertOk(),
        ];

        using var connection = await redis.ConnectAsync();
        var keys = connection.GetServer(redis.Address).Keys(pageSize: 100).ToList();
        Assert.Equal(3, keys.Count);
        var content = new List<string>();
        foreach (var key in keys)
        {
            Assert.NotNull(await connection.GetDatabase().KeyTimeToLiveAsync(key));
            content.Add($"{key} {await connection.GetDatabase().StringGetAsync(key)}");
        }

        var secrets = answers.SelectMany(answer => Secret.Spellings(Convert.FromBase64String(answer.AccessToken))
                .Concat(Secret.Spellings(Convert.FromBase64String(answer.Key))))
            .Concat(Secret.Spellings(WafApp.ClientSecret))
            .Concat(WafApp.GoodSettings().Where(setting => setting.Key.EndsWith(":Key", StringComparison.Ordinal)).Select(setting =>
                setting.Value));
        foreach (var secret in secrets) Assert.DoesNotContain(content, text => text.Contains(secret, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    [Requirement("ABUSE-73")]
    public async Task RedisGone_TokensAsBefore_AndHealthDegraded()
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = new WafApp().With("ConnectionStrings:redis", redis.Address);
        (await new TokenRequest().SendAsync(app)).AssertOk();
        Assert.Equal("Healthy", await HealthAsync(app));

        await redis.StopAsync();
        for (var i = 0; i < 3; i++) (await new TokenRequest().SendAsync(app)).AssertOk();
        Assert.Equal("Degraded", await HealthAsync(app));
        // One warning, and a record in the trace of each later request.
        Assert.Single(app.Logs.Records, record => record.Contains("Redis does not answer", StringComparison.Ordinal));
        Assert.Equal(2, app.Logs.Records.Count(record => record.Contains("Redis still does not answer", StringComparison.Ordinal)));
    }

    [Fact]
    [Requirement("ABUSE-73")]
    public async Task RedisNeverThere_StartsAndMakesTokens()
    {
        using var app = new WafApp().With("ConnectionStrings:redis", "127.0.0.1:1");

        (await new TokenRequest().SendAsync(app)).AssertOk();
        Assert.Equal("Degraded", await HealthAsync(app));
    }

    [Fact]
    [Requirement("ABUSE-74")]
    public async Task RedisThatHangs_IsAwaitedFor250Milliseconds()
    {
        var time = new FakeTimeProvider();
        var grants = new GrantStore(NullLogger<GrantStore>.Instance, time, new(null, null), HangingRedis.Create());
        var assertions = new UsedAssertions(time, HangingRedis.Create());
        var token = new IssuedToken("", "k1", "", "", TimeSpan.FromMinutes(10), "tid");
        var write = grants.WriteAsync(token, WafApp.Client, null, isGuest: false);
        var isFirst = assertions.IsFirstAsync(WafApp.Client, "jti", time.GetUtcNow().AddMinutes(1));

        time.Advance(TimeSpan.FromMilliseconds(249));
        Assert.False(write.IsCompleted || isFirst.IsCompleted);

        time.Advance(TimeSpan.FromMilliseconds(1));
        await write.WaitAsync(Limit, TestContext.Current.CancellationToken);
        Assert.True(await isFirst.WaitAsync(Limit, TestContext.Current.CancellationToken));
    }

    [Fact]
    [Requirement("ABUSE-74")]
    public async Task RedisThatHangs_TokenWithoutAGrant()
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = new WafApp().With("ConnectionStrings:redis", redis.Address);
        (await new TokenRequest().SendAsync(app)).AssertOk();
        using var connection = await redis.ConnectAsync();
        await connection.GetDatabase().ExecuteAsync("CLIENT", "PAUSE", "60000", "WRITE");

        (await new TokenRequest().SendAsync(app)).AssertOk();
        Assert.Single(app.Logs.Records, record => record.Contains("tokens are issued without a grant", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WithoutRedis_HealthDoesNotSpeakOfIt()
    {
        using var app = new WafApp();

        (await new TokenRequest().SendAsync(app)).AssertOk();
        Assert.Equal("Healthy", await HealthAsync(app));
        Assert.Null(app.Services.GetService<IConnectionMultiplexer>());
    }

    private static string TokenId(string accessToken)
    {
        Assert.True(AccessTokenKey.TryGetNonce(Convert.FromBase64String(accessToken), out var nonce));
        return System.Buffers.Text.Base64Url.EncodeToString(nonce);
    }

    private static async Task<string?> HealthAsync(WafApp app)
    {
        using var client = app.CreateClient();
        using var answer = await client.GetAsync(new Uri("/health", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("status")
            .GetString();
    }
}
