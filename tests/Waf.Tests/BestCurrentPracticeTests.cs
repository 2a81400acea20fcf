using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.WebUtilities;
using WebRtcIms.Tests.Common;
using static WebRtcIms.Waf.Tests.ClientRegistrationRequest;

namespace WebRtcIms.Waf.Tests;

/// <summary>RFC 9700, as far as it concerns a server whose only grant is that of the client itself.</summary>
public sealed class BestCurrentPracticeTests
{
    [Theory]
    [InlineData("password")]
    [InlineData("authorization_code")]
    [InlineData("refresh_token")]
    [InlineData("urn:ietf:params:oauth:grant-type:device_code")]
    [InlineData("urn:ietf:params:oauth:grant-type:token-exchange")]
    [InlineData("urn:ietf:params:oauth:grant-type:jwt-bearer")]
    [Requirement("RFC9700-2.4-1")]
    [Requirement("RFC6749-5.2-1")]
    public async Task OtherGrants_AreRefused(string grant)
    {
        using var app = new WafApp();
        var request = new TokenRequest().With("grant_type", grant).And("username", "alice").And("password", "a password")
            .And("code", "a code").And("refresh_token", "a token").And("device_code", "a code").And("assertion", "a.b.c")
            .And("subject_token", "a token").And("subject_token_type", "urn:ietf:params:oauth:token-type:access_token");

        (await request.SendAsync(app)).AssertError(HttpStatusCode.BadRequest, "unsupported_grant_type");
    }

    [Fact]
    [Requirement("RFC9700-2.1.2-1")]
    [Requirement("RFC9700-4.11-1")]
    public async Task NoEndpointRedirects_AndThereIsNoAuthorizationEndpoint()
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = new WafApp().WithRegistration().With("ConnectionStrings:redis", redis.Address);
        using var client = app.CreateDefaultClient();
        string[] paths =
        [
            "/oauth2/token", "/oauth2/revoke", "/oauth2/introspect", "/oauth2/register", "/oauth2/authorize", "/connect/authorize",
            "/oauth2/logout", "/.well-known/oauth-authorization-server", "/",
        ];
        foreach (var path in paths)
        {
            var address = QueryHelpers.AddQueryString(path, new Dictionary<string, string?>
            {
                ["response_type"] = "token",
                ["client_id"] = WafApp.Client,
                ["redirect_uri"] = "https://elsewhere.example/",
                ["post_logout_redirect_uri"] = "https://elsewhere.example/",
            });
            using var answer = await client.GetAsync(new Uri(app.Address, address), TestContext.Current.CancellationToken);

            Assert.Null(answer.Headers.Location);
            Assert.NotInRange((int)answer.StatusCode, 300, 399);
            if (path.Contains("authorize", StringComparison.Ordinal)) Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }
    }

    [Fact]
    [Requirement("RFC9700-4.14-1")]
    [Requirement("RFC9700-2.2.1-1")]
    public async Task Token_HasNoRefreshToken_AndIsBoundToTheKeyOfTheResponse()
    {
        using var app = new WafApp();

        var answer = (await new TokenRequest().SendAsync(app)).AssertOk();

        Assert.False(answer.Body.TryGetProperty("refresh_token", out _));
        Assert.Equal("pop", answer.Body.GetProperty("token_type").GetString());
        Assert.Equal(
            answer.Key, Convert.ToBase64String(WafApp.Decrypt(answer.Kid, answer.AccessToken, WafApp.TurnServer).MacKey));
    }

    [Theory]
    [InlineData("token")]
    [InlineData("client_secret")]
    [Requirement("RFC9700-4.3.2-1")]
    [Requirement("ABUSE-87")]
    public async Task QueriesOfOtherRequests_AreNotRead(string parameter)
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = new WafApp().With("ConnectionStrings:redis", redis.Address);
        using var client = app.CreateClient();
        foreach (var path in (string[])[TokenRequest.RevocationPath, TokenRequest.IntrospectionPath])
        {
            Dictionary<string, string> form = new()
            {
                ["client_id"] = WafApp.Client,
                ["client_secret"] = WafApp.ClientSecret,
                ["token"] = "AAAA",
            };
            var query = QueryHelpers.AddQueryString(path, parameter, form[parameter]);
            form.Remove(parameter);
            using var post = await client.PostAsync(
                new Uri(query, UriKind.Relative), new FormUrlEncodedContent(form), TestContext.Current.CancellationToken);
            Assert.False(post.IsSuccessStatusCode);
            using var get = await client.GetAsync(new Uri(query, UriKind.Relative), TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.MethodNotAllowed, get.StatusCode);
        }
    }

    [Fact]
    [Requirement("RFC9700-4.2.4-1")]
    [Requirement("ABUSE-87")]
    public async Task ResponsesToAGetWithCredentials_AreNeitherStoredNorReferredTo()
    {
        using var app = new WafApp();
        TokenAnswer[] answers =
        [
            (await new TokenRequest().GetAsync(app)).AssertOk(),
            (await new TokenRequest().GetAsync(app, secret: "not-the-secret-of-it"))
                .AssertError(HttpStatusCode.Unauthorized, "invalid_client"),
        ];

        Assert.All(answers, answer =>
            Assert.Equal(("no-store", "no-referrer"), (answer.Headers["Cache-Control"], answer.Headers["Referrer-Policy"])));
    }

    [Fact]
    [Requirement("RFC9700-4.15.1-1")]
    public async Task RegisteredClient_DoesNotChooseItsName()
    {
        using var app = new WafApp().WithRegistration();

        var client = (await RegisterAsync(app, new JsonObject { ["client_id"] = WafApp.OtherClient, ["client_secret"] = "chosen" }))
            .Assert(HttpStatusCode.Created);

        Assert.NotEqual(WafApp.OtherClient, client.ClientId);
        Assert.NotEqual("chosen", client.Secret);
    }
}
