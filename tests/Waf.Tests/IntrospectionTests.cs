using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>Token introspection (RFC 7662).</summary>
public sealed class IntrospectionTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()));
    private RedisServer? _redis;
    private ConnectionMultiplexer? _connection;
    private WafApp? _app;

    private WafApp App => _app!;

    private IDatabase Redis => _connection!.GetDatabase();

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _connection = await _redis.ConnectAsync();
        _app = new WafApp { Time = _time }
            .With("ConnectionStrings:redis", _redis.Address)
            .With("Waf:ImsRegistration:Domain", "ims.example")
            .With("Waf:ImsRegistration:Identity", "waf.ims.example")
            .With("Waf:ImsRegistration:Kid", "r1")
            .With("Waf:ImsRegistration:Key", Convert.ToBase64String(new byte[32]))
            .With("Waf:Clients:0:Impus:0", "sip:guest-*@ims.example");
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
        if (_connection is not null) await _connection.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
    }

    [Fact]
    [Requirement("RFC7662-2.2-1")]
    public async Task TurnToken_IsDescribed()
    {
        var now = _time.GetUtcNow().ToUnixTimeSeconds();
        var token = (await new TokenRequest().SendAsync(App)).AssertOk();

        var answer = await IntrospectAsync(token.AccessToken);

        Assert.True(answer.Body.GetProperty("active").GetBoolean());
        Assert.Equal((WafApp.Client, WafApp.Client), (Text(answer, "client_id"), Text(answer, "sub")));
        Assert.Equal(("stun", "pop", "k1"), (Text(answer, "scope"), Text(answer, "token_type"), Text(answer, "kid")));
        Assert.Equal(WafApp.TurnServer, Text(answer, "aud"));
        Assert.Equal(now, answer.Body.GetProperty("iat").GetInt64());
        Assert.Equal(now + 605, answer.Body.GetProperty("exp").GetInt64());
        Assert.Equal("no-store", answer.Headers["Cache-Control"]);
        Assert.DoesNotContain(token.Key, answer.Body.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("RFC7662-2.2-1")]
    public async Task RegistrationToken_IsDescribed()
    {
        var now = _time.GetUtcNow().ToUnixTimeSeconds();
        var token = (await RegistrationRequest().SendAsync(App)).AssertOk().AccessToken;

        var answer = await IntrospectAsync(token);

        Assert.True(answer.Body.GetProperty("active").GetBoolean());
        Assert.Equal(("ims.register", "Bearer"), (Text(answer, "scope"), Text(answer, "token_type")));
        Assert.Equal((WafApp.Client, "guest-7@ims.example"), (Text(answer, "client_id"), Text(answer, "sub")));
        Assert.Equal("sip:ims.example", Text(answer, "aud"));
        Assert.Equal(["sip:guest-7@ims.example"], answer.Body.GetProperty("impu").EnumerateArray().Select(impu => impu.GetString()!));
        Assert.Equal(now + 600, answer.Body.GetProperty("exp").GetInt64());
    }

    [Fact]
    [Requirement("RFC7662-2.2-1")]
    public async Task RegistrationTokenOfARegisteredClient_IsDescribedToThisClientOnly()
    {
        App.WithInitialAccessToken()
            .With("Waf:InitialAccessTokens:0:Impus:0", "sip:guest-*@ims.example").With("Waf:InitialAccessTokens:0:Wwsf", WafApp.Client);
        var client = await ClientRegistrationRequest.RegisterAsync(App);
        var token = (await RegistrationRequest().SendAsync(App, client.ClientId, client.Secret)).AssertOk().AccessToken;

        var answer = await TokenRequest.IntrospectAsync(App, client.ClientId, client.Secret, ("token", token));

        Assert.Equal(client.ClientId, Text(answer, "client_id"));
        // This client has the name that the token gives the WWSF.
        await AssertNotActiveAsync(token);
    }

    [Fact]
    [Requirement("RFC7662-2.2-2")]
    public async Task ExpiredTokens_AreNotActive_AndNothingElseIsSaid()
    {
        var turn = (await new TokenRequest().SendAsync(App)).AssertOk().AccessToken;
        var registration = (await RegistrationRequest().SendAsync(App)).AssertOk().AccessToken;

        _time.Advance(TimeSpan.FromSeconds(599));
        await AssertActiveAsync(turn);
        await AssertActiveAsync(registration);

        _time.Advance(TimeSpan.FromSeconds(6));
        await AssertNotActiveAsync(turn);
        await AssertNotActiveAsync(registration);
    }

    [Theory]
    [InlineData("AAAA")]
    [InlineData("not base64!")]
    [InlineData("a.b.c.d.e")]
    [InlineData("eyJhbGciOiJub25lIn0.e30.")]
    [Requirement("RFC7662-2.2-2")]
    public async Task TextThatIsNotAToken_IsNotActive(string text) => await AssertNotActiveAsync(text);

    [Fact]
    [Requirement("RFC7662-4-1")]
    public async Task TokensOfAnotherClient_AreNotActiveForThisOne()
    {
        var turn = (await new TokenRequest().With("aud", WafApp.SecondTurnServer).SendAsync(App)).AssertOk().AccessToken;
        var registration = (await RegistrationRequest().SendAsync(App)).AssertOk().AccessToken;

        await AssertNotActiveAsync(turn, WafApp.OtherClient, WafApp.OtherSecret);
        await AssertNotActiveAsync(registration, WafApp.OtherClient, WafApp.OtherSecret);
        await AssertActiveAsync(turn);
    }

    [Fact]
    [Requirement("RFC7662-2.2-2")]
    public async Task RevokedToken_IsNotActive()
    {
        var first = (await new TokenRequest().SendAsync(App)).AssertOk().AccessToken;
        var second = (await new TokenRequest().SendAsync(App)).AssertOk().AccessToken;

        (await TokenRequest.RevokeAsync(App, WafApp.Client, WafApp.ClientSecret, ("token", first))).AssertOk();

        await AssertNotActiveAsync(first);
        await AssertActiveAsync(second);
    }

    [Fact]
    [Requirement("RFC7662-2.2-2")]
    public async Task AllTokensRevoked_OnlyNewOnesAreActive()
    {
        var old = (await new TokenRequest().SendAsync(App)).AssertOk().AccessToken;
        (await TokenRequest.RevokeAsync(App, WafApp.Client, WafApp.ClientSecret, ("all_tokens", "true"))).AssertOk();

        _time.Advance(TimeSpan.FromSeconds(1));
        var later = (await new TokenRequest().SendAsync(App)).AssertOk().AccessToken;

        await AssertNotActiveAsync(old);
        await AssertActiveAsync(later);
    }

    [Theory]
    [InlineData("key:r1", false)]
    [InlineData("client:wwsf", false)]
    [InlineData("session:9b0c6f", false)]
    [InlineData("all", true)]
    [InlineData("key:k1", true)]
    [Requirement("RFC7662-2.2-2")]
    public async Task RevocationOfARegistrationToken_IsKnown_AndOtherRevocationsDoNotCount(string name, bool isActive)
    {
        var token = (await RegistrationRequest().SendAsync(App)).AssertOk().AccessToken;
        var now = _time.GetUtcNow();

        await TurnRevocations.WriteAsync(Redis, name, now + TokenLimits.LongestLifetime, now);

        if (isActive) await AssertActiveAsync(token);
        else await AssertNotActiveAsync(token);
    }

    [Theory]
    [InlineData("key:k1")]
    [InlineData("all")]
    [Requirement("RFC7662-2.2-2")]
    public async Task RevocationByAnOperator_IsKnown(string name)
    {
        var token = (await new TokenRequest().SendAsync(App)).AssertOk().AccessToken;
        var now = _time.GetUtcNow();
        await TurnRevocations.WriteAsync(Redis, name, now + TokenLimits.LongestLifetime, now);

        await AssertNotActiveAsync(token);

        await Redis.SortedSetAddAsync(TurnRevocations.Key, name, now.ToUnixTimeSeconds());
        await AssertActiveAsync(token);
    }

    [Fact]
    [Requirement("RFC7662-2.1-1")]
    public async Task StrangersAndWrongSecrets_AreRefused()
    {
        var token = (await new TokenRequest().SendAsync(App)).AssertOk().AccessToken;
        TokenAnswer[] refused =
        [
            await TokenRequest.IntrospectAsync(App, null, null, ("token", token)),
            await TokenRequest.IntrospectAsync(App, WafApp.Client, WafApp.OtherSecret, ("token", token)),
            await TokenRequest.IntrospectAsync(App, "nobody", WafApp.ClientSecret, ("token", token)),
        ];
        foreach (var answer in refused) answer.AssertError(HttpStatusCode.Unauthorized, "invalid_client");
    }

    [Fact]
    [Requirement("RFC7662-2.1-1")]
    public async Task MissingOrDoubledParameter_IsInvalidRequest()
    {
        (await IntrospectAsync()).AssertError(HttpStatusCode.BadRequest, "invalid_request");
        (await IntrospectAsync(("token", "a"), ("token", "b"))).AssertError(HttpStatusCode.BadRequest, "invalid_request");
    }

    [Fact]
    [Requirement("ABUSE-85")]
    public async Task Guesses_AreCountedWithThoseOfOtherEndpoints()
    {
        for (var i = 0; i < 10; i++)
        {
            (await TokenRequest.IntrospectAsync(App, WafApp.Client, "a guess of the secret", ("token", "a")))
                .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        }

        (await new TokenRequest().SendAsync(App)).AssertError(HttpStatusCode.TooManyRequests, "temporarily_unavailable");
        (await IntrospectAsync("a")).AssertError(HttpStatusCode.TooManyRequests, "temporarily_unavailable");
    }

    [Fact]
    [Requirement("RFC7662-2.2-2")]
    public async Task RedisDown_Is503_AndNeverActive()
    {
        var token = (await new TokenRequest().SendAsync(App)).AssertOk().AccessToken;
        await _redis!.StopAsync();

        var answer = (await IntrospectAsync(token)).AssertError(HttpStatusCode.ServiceUnavailable, "temporarily_unavailable");
        Assert.Equal("2", answer.Headers["Retry-After"]);
    }

    private static string? Text(TokenAnswer answer, string name) => answer.Body.GetProperty(name).GetString();

    private static TokenRequest RegistrationRequest() => new TokenRequest().Without("aud").Without("alg").Without("token_type")
        .With("scope", "ims.register").With("impu", "sip:guest-7@ims.example").With("impi", "guest-7@ims.example");

    private Task<TokenAnswer> IntrospectAsync(string token) => IntrospectAsync(("token", token));

    private Task<TokenAnswer> IntrospectAsync(params (string Name, string Value)[] form) =>
        TokenRequest.IntrospectAsync(App, WafApp.Client, WafApp.ClientSecret, form);

    private async Task AssertActiveAsync(string token) =>
        Assert.True((await IntrospectAsync(token)).AssertOk().Body.GetProperty("active").GetBoolean());

    private async Task AssertNotActiveAsync(string token, string client = WafApp.Client, string secret = WafApp.ClientSecret)
    {
        var answer = (await TokenRequest.IntrospectAsync(App, client, secret, ("token", token))).AssertOk();
        Assert.Equal("""{"active":false}""", JsonSerializer.Serialize(answer.Body));
    }
}
