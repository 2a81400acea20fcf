using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>Token revocation (RFC 7009), and what the TURN servers hear of it.</summary>
public sealed class RevocationTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly List<string> _messages = [];
    private RedisServer? _redis;
    private ConnectionMultiplexer? _connection;
    private WafApp? _app;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private WafApp App => _app!;

    public async ValueTask InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _connection = await _redis.ConnectAsync();
        await _connection.GetSubscriber().SubscribeAsync(TurnRevocations.Channel, (_, message) =>
        {
            lock (_messages) _messages.Add(message.ToString());
        });
        _app = new WafApp().With("ConnectionStrings:redis", _redis.Address);
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
        if (_connection is not null) await _connection.DisposeAsync();
        if (_redis is not null) await _redis.DisposeAsync();
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task Token_IsToldToTheTurnServers_ForAsLongAsItWouldLive()
    {
        var answer = (await new TokenRequest().SendAsync(App)).AssertOk();
        Assert.Equal(HttpStatusCode.OK, (await RevokeAsync(("token", answer.AccessToken), ("token_type_hint", "access_token"))).StatusCode);

        var message = await NextMessageAsync();
        Assert.True(TurnRevocations.TryRead(message, out var name, out var until));
        Assert.Matches("^token:k1:[A-Za-z0-9_-]{16}$", name);
        Assert.InRange((until - TimeProvider.System.GetUtcNow()).TotalSeconds, 570, 606);
        Assert.Equal(until.ToUnixTimeSeconds(), await _connection!.GetDatabase().SortedSetScoreAsync(TurnRevocations.Key, name));
        Assert.NotNull(await _connection.GetDatabase().KeyTimeToLiveAsync(TurnRevocations.Key));
        Assert.DoesNotContain(answer.AccessToken, message, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task AllTokensOfTheClient_AreRevokedByItself_AndNewOnesAreMade()
    {
        Assert.Equal(HttpStatusCode.OK, (await RevokeAsync(("all_tokens", "true"))).StatusCode);

        Assert.True(TurnRevocations.TryRead(await NextMessageAsync(), out var name, out var until));
        Assert.Equal("client:wwsf", name);
        Assert.InRange(until - TokenLimits.LongestLifetime - TimeProvider.System.GetUtcNow(), -Limit, Limit);
        (await new TokenRequest().SendAsync(App)).AssertOk();
    }

    [Theory]
    [InlineData("AAAA")]
    [InlineData("not base64!")]
    [InlineData("AAwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    public async Task TokenThatIsNone_IsAsGoodAsRevoked(string token)
    {
        Assert.Equal(HttpStatusCode.OK, (await RevokeAsync(("token", token))).StatusCode);

        Assert.Empty(await _connection!.GetDatabase().SortedSetRangeByRankAsync(TurnRevocations.Key));
    }

    [Fact]
    public async Task TokenOfAnotherClient_IsRefused()
    {
        var answer = (await new TokenRequest().With("aud", WafApp.SecondTurnServer).SendAsync(App)).AssertOk();
        var refused = await RevokeAsync(WafApp.OtherClient, WafApp.OtherSecret, ("token", answer.AccessToken));

        await AssertErrorAsync(refused, HttpStatusCode.BadRequest, "unauthorized_client");
        Assert.Empty(await _connection!.GetDatabase().SortedSetRangeByRankAsync(TurnRevocations.Key));
    }

    [Fact]
    public async Task WrongRequests_AreNamed()
    {
        await AssertErrorAsync(await RevokeAsync(), HttpStatusCode.BadRequest, "invalid_request");
        await AssertErrorAsync(await RevokeAsync(("token", "a"), ("token", "b")), HttpStatusCode.BadRequest, "invalid_request");
        await AssertErrorAsync(await RevokeAsync(("token", "a.b.c.d.e")), HttpStatusCode.BadRequest, "unsupported_token_type");
        using var client = App.CreateClient();
        await AssertErrorAsync(
            await client.PostAsJsonAsync(Path, new { token = "a" }, Cancel), HttpStatusCode.BadRequest, "invalid_request");
    }

    [Fact]
    [Requirement("ABUSE-85")]
    public async Task WrongSecret_Is401_Then429()
    {
        using var app =
            new WafApp { Time = new FakeTimeProvider(TimeProvider.System.GetUtcNow()) }.With("ConnectionStrings:redis", _redis!.Address);
        using var client = app.CreateClient();
        for (var i = 0; i < 10; i++)
        {
            var refused = await SendAsync(client, WafApp.Client, "a guess of the secret", ("token", "a"));
            await AssertErrorAsync(refused, HttpStatusCode.Unauthorized, "invalid_client");
        }

        await AssertErrorAsync(
            await SendAsync(client, "nobody", "a guess of the secret", ("token", "a")), HttpStatusCode.Unauthorized, "invalid_client");
        var answer = await SendAsync(client, WafApp.Client, WafApp.ClientSecret, ("token", "a"));
        await AssertErrorAsync(answer, HttpStatusCode.TooManyRequests, "temporarily_unavailable");
        Assert.NotNull(answer.Headers.RetryAfter);
    }

    [Fact]
    [Requirement("ABUSE-85")]
    public async Task FailuresAtBothEndpoints_AreCountedTogether()
    {
        using var app =
            new WafApp { Time = new FakeTimeProvider(TimeProvider.System.GetUtcNow()) }.With("ConnectionStrings:redis", _redis!.Address);
        for (var i = 0; i < 5; i++)
        {
            (await new TokenRequest().SendAsync(app, secret: "a guess of the secret"))
                .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
            (await TokenRequest.RevokeAsync(app, WafApp.Client, "a guess of the secret", ("token", "a")))
                .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        }

        TokenAnswer[] answers =
        [
            await new TokenRequest().SendAsync(app),
            await TokenRequest.RevokeAsync(app, WafApp.Client, WafApp.ClientSecret, ("token", "a")),
        ];
        foreach (var answer in answers)
            Assert.Equal("60", answer.AssertError(HttpStatusCode.TooManyRequests, "temporarily_unavailable").Headers["Retry-After"]);
    }

    [Fact]
    [Requirement("RFC7009-2.1-1")]
    public async Task Client_IsAuthenticatedAsAtTheTokenEndpoint()
    {
        (await TokenRequest.RevokeAsync(App, ("client_id", WafApp.Client), ("client_secret", WafApp.ClientSecret), ("all_tokens", "true")))
            .AssertOk();

        TokenAnswer[] refused =
        [
            await TokenRequest.RevokeAsync(App, ("all_tokens", "true")),
            await TokenRequest.RevokeAsync(App, ("client_id", WafApp.Client), ("all_tokens", "true")),
            await TokenRequest.RevokeAsync(
                App, ("client_id", WafApp.Client), ("client_secret", WafApp.OtherSecret), ("all_tokens", "true")),
            await TokenRequest.RevokeAsync(App, "nobody", WafApp.ClientSecret, ("all_tokens", "true")),
        ];
        foreach (var answer in refused)
            Assert.StartsWith("Basic ", answer.AssertError(HttpStatusCode.Unauthorized, "invalid_client").Headers["WWW-Authenticate"]);
        Assert.Equal(1, await _connection!.GetDatabase().SortedSetLengthAsync(TurnRevocations.Key));
    }

    [Fact]
    [Requirement("RFC7009-2.2.1-1")]
    public async Task RedisDown_Is503_SoThatTheClientTriesAgain()
    {
        var token = (await new TokenRequest().SendAsync(App)).AssertOk().AccessToken;
        await _redis!.StopAsync();
        var answer = await RevokeAsync(("token", token));

        await AssertErrorAsync(answer, HttpStatusCode.ServiceUnavailable, "temporarily_unavailable");
        Assert.NotNull(answer.Headers.RetryAfter);
    }

    [Fact]
    public async Task Endpoint_IsInTheMetadata_WhereThereIsRedis()
    {
        using var client = App.CreateClient();
        var document =
            await client.GetFromJsonAsync<JsonElement>(new Uri("/.well-known/oauth-authorization-server", UriKind.Relative), Cancel);
        Assert.Equal("http://localhost/oauth2/revoke", document.GetProperty("revocation_endpoint").GetString());

        using var alone = new WafApp();
        using var other = alone.CreateClient();
        document = await other.GetFromJsonAsync<JsonElement>(new Uri("/.well-known/oauth-authorization-server", UriKind.Relative), Cancel);
        Assert.False(document.TryGetProperty("revocation_endpoint", out _));
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(other, WafApp.Client, WafApp.ClientSecret, ("token", "a"))).StatusCode);
    }

    private static Uri Path => new("/oauth2/revoke", UriKind.Relative);

    private Task<HttpResponseMessage> RevokeAsync(params (string Name, string Value)[] form) =>
        RevokeAsync(WafApp.Client, WafApp.ClientSecret, form);

    private async Task<HttpResponseMessage> RevokeAsync(string clientId, string secret, params (string Name, string Value)[] form)
    {
        using var client = App.CreateClient();
        return await SendAsync(client, clientId, secret, form);
    }

    private static async Task<HttpResponseMessage> SendAsync(
        HttpClient client, string clientId, string secret, params (string Name, string Value)[] form)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, Path)
        {
            Headers = { Authorization = TokenRequest.Basic(clientId, secret) },
            Content = new FormUrlEncodedContent(form.Select(parameter => KeyValuePair.Create(parameter.Name, parameter.Value))),
        };
        return await client.SendAsync(request, Cancel);
    }

    private static async Task AssertErrorAsync(HttpResponseMessage answer, HttpStatusCode status, string error)
    {
        var body = JsonElement.Parse(await answer.Content.ReadAsStringAsync(Cancel));
        Assert.Equal((status, error), (answer.StatusCode, body.GetProperty("error").GetString()));
        Assert.True(answer.Headers.CacheControl!.NoStore);
    }

    private async Task<string> NextMessageAsync()
    {
        await Eventually.IsTrueAsync(() =>
        {
            lock (_messages) return _messages.Count > 0;
        });
        lock (_messages) return _messages[0];
    }
}
