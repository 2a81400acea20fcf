using System.Diagnostics;
using System.Net;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

public sealed class SecrecyTests
{
    private const string WrongSecret = "wrong+s3cret/of no client?";

    [Theory, InlineData("Production"), InlineData("Development")]
    [Requirement("SEC-5")]
    public async Task Answers_HaveNoHeaderOfTheRequest(string environment)
    {
        using var app = new WafApp().With("environment", environment).With("Waf:Issuer", WafApp.Issuer);
        using var client = app.CreateClient();

        await HeaderEcho.ExpectNoneAsync(
            client, "/oauth2/token", "/oauth2/token?grant_type=x", "/oauth2/register", "/oauth2/register/x", "/oauth2/introspect",
            "/oauth2/revoke", "/.well-known/oauth-authorization-server", "/.well-known/stun-key", "/admin/clients", "/nothing");
    }

    /// <summary>Everything at its finest level: logs, and spans of all sources; good requests and bad ones.</summary>
    [Fact]
    [Requirement("ABUSE-87")]
    [Requirement("RFC7635-11-1")]
    [Requirement("RFC9700-4.2.4-1")]
    public async Task LogsAndSpans_HaveNoTokenKeyOrSecret()
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = new WafApp().WithAllLogs().With("ConnectionStrings:redis", redis.Address);
        List<TokenAnswer> good =
        [
            await new TokenRequest().SendAsync(app),
            await new TokenRequest().With("alg", "HMAC-SHA1").PostAsync(app),
            await new TokenRequest().With("aud", WafApp.SecondTurnServer).GetAsync(app),
        ];
        TokenAnswer[] bad =
        [
            await new TokenRequest().SendAsync(app, secret: WrongSecret),
            await new TokenRequest().PostAsync(app, "nobody", WrongSecret),
            await new TokenRequest().GetAsync(app, secret: WrongSecret),
            await new TokenRequest().With("aud", "nowhere").GetAsync(app),
            await new TokenRequest().With("alg", "HMAC-MD5").PostAsync(app),
            await new TokenRequest().And("aud", WafApp.TurnServer).GetAsync(app),
            await new TokenRequest().And("client_secret", WafApp.ClientSecret).SendAsync(app),
            await new TokenRequest().And("client_secret", WafApp.ClientSecret).PostAsync(app),
            await new TokenRequest().And("client_password", WafApp.ClientSecret).PostAsync(app),
        ];
        await SendToWrongPlacesAsync(app);
        (await TokenRequest.RevokeAsync(app, WafApp.Client, WafApp.ClientSecret, ("token", good[0].AccessToken))).AssertOk();
        (await TokenRequest.RevokeAsync(
            app, ("client_id", WafApp.Client), ("client_secret", WafApp.ClientSecret), ("token", good[1].AccessToken))).AssertOk();
        await TokenRequest.RevokeAsync(app, WafApp.Client, WrongSecret, ("token", good[2].AccessToken));
        await redis.StopAsync();
        good.Add(await new TokenRequest().GetAsync(app));

        List<string> written = [.. app.Logs.Records];
        lock (app.Spans) written.AddRange(app.Spans.Select(Describe));
        Assert.Contains(written, text => text.Contains("/oauth2/token", StringComparison.Ordinal)
            && text.Contains("Request starting", StringComparison.Ordinal));
        Assert.Contains(written, text => text.Contains("OpenIddict.Server", StringComparison.Ordinal)
            && text.Contains(WafApp.TurnServer, StringComparison.Ordinal));
        Assert.Contains(written, text => text.Contains("token issue", StringComparison.Ordinal)
            && text.Contains("ims.step=5", StringComparison.Ordinal));
        Assert.All(bad, answer => Assert.InRange((int)answer.Status, 400, 401));
        var secrets = good.SelectMany(answer =>
                Secret.Spellings(Convert.FromBase64String(answer.AssertOk().AccessToken))
                    .Concat(Secret.Spellings(Convert.FromBase64String(answer.Key))))
            .Concat(Secret.Spellings(WafApp.ClientSecret))
            .Concat(Secret.Spellings(WafApp.OtherSecret))
            .Concat(Secret.Spellings(WrongSecret))
            .Concat(Secret.Spellings($"{WebUtility.UrlEncode(WafApp.Client)}:{WebUtility.UrlEncode(WafApp.ClientSecret)}"))
            .Concat(WafApp.GoodSettings().Where(setting => setting.Key.EndsWith(":Key", StringComparison.Ordinal))
                .SelectMany(setting => Secret.Spellings(Convert.FromBase64String(setting.Value))));
        foreach (var secret in secrets.Distinct())
        {
            var leak = written.Find(text => text.Contains(secret, StringComparison.OrdinalIgnoreCase));
            Assert.True(leak is null, $"'{secret}' is in: {leak}");
        }
    }

    /// <summary>Where someone who mistakes the address or the method sends a password.</summary>
    private static async Task SendToWrongPlacesAsync(WafApp app)
    {
        using var client = app.CreateClient();
        foreach (var path in (string[])["/oauth2/token/", "/oauth2", "/", "/.well-known/oauth-authorization-server", "/health"])
        {
            using var answer = await client.GetAsync(
                new Uri($"{path}?client_id={WafApp.Client}&client_password={Uri.EscapeDataString(WafApp.ClientSecret)}", UriKind.Relative),
                TestContext.Current.CancellationToken);
            Assert.DoesNotContain("s3cret", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        }

        using var delete = await client.DeleteAsync(
            new Uri($"{TokenRequest.Path}?client_password={Uri.EscapeDataString(WafApp.ClientSecret)}", UriKind.Relative),
            TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, delete.StatusCode);
    }

    private static string Describe(Activity span) =>
        $"{span.DisplayName} {span.StatusDescription} {string.Join(' ', span.TagObjects.Select(tag => $"{tag.Key}={tag.Value}"))} "
        + string.Join(' ', span.Events.SelectMany(happened => happened.Tags).Select(tag => $"{tag.Key}={tag.Value}"))
        + string.Join(' ', span.Baggage.Select(item => $"{item.Key}={item.Value}"));
}
