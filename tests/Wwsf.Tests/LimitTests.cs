using System.Net;
using Microsoft.AspNetCore.Http;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

public sealed class LimitTests
{
    private const string Anonymous = "/api/session/anonymous";

    [Fact]
    [Requirement("ABUSE-91")]
    public async Task BurstOfGuestsFromOneAddress_RateLimited()
    {
        using var app = new WwsfApp().With("Wwsf:Limits:AnonymousSessionsPerMinute", "3");
        for (var i = 0; i < 3; i++) Assert.Equal(HttpStatusCode.OK, (await (await app.OpenPageAsync()).ContinueAsGuestAsync()).Status);

        var answer = await (await app.OpenPageAsync()).ContinueAsGuestAsync();
        AssertRateLimited(answer);
        Assert.Empty(answer.SetCookies);
        Assert.Equal(1, app.Counts["wwsf.sessions kind=anonymous outcome=rate_limited"]);
    }

    [Fact]
    [Requirement("ABUSE-91")]
    public async Task BehindTheGateway_EachForwardedAddressHasItsOwnLimit()
    {
        using var app = new WwsfApp().With("Wwsf:Limits:AnonymousSessionsPerMinute", "1");

        Assert.Equal(HttpStatusCode.OK, (await GuestFromAsync(app, "203.0.113.7")).Status);
        AssertRateLimited(await GuestFromAsync(app, "203.0.113.7"));
        Assert.Equal(HttpStatusCode.OK, (await GuestFromAsync(app, "203.0.113.8")).Status);
    }

    [Fact]
    [Requirement("ABUSE-91")]
    public async Task StrangerWhoForgesForwardedFor_IsNotBelieved()
    {
        using var app = new WwsfApp().With("Wwsf:Limits:AnonymousSessionsPerMinute", "1");
        app.RemoteAddress = IPAddress.Parse("198.51.100.9");

        Assert.Equal(HttpStatusCode.OK, (await GuestFromAsync(app, "203.0.113.7")).Status);
        AssertRateLimited(await GuestFromAsync(app, "203.0.113.8"));
    }

    [Theory]
    [InlineData("198.51.100.9")]
    [InlineData("198.51.100.0/24")]
    public async Task KnownProxy_IsBelieved(string known)
    {
        using var app = new WwsfApp().With("Wwsf:Limits:AnonymousSessionsPerMinute", "1").With("Wwsf:KnownProxies:0", known);
        app.RemoteAddress = IPAddress.Parse("198.51.100.9");

        Assert.Equal(HttpStatusCode.OK, (await GuestFromAsync(app, "203.0.113.7")).Status);
        Assert.Equal(HttpStatusCode.OK, (await GuestFromAsync(app, "203.0.113.8")).Status);
    }

    [Fact]
    public async Task Logins_RateLimitedByAddress()
    {
        using var app = new WwsfApp().With("Wwsf:Limits:LoginsPerMinute", "2");
        var page = await app.OpenPageAsync();
        await page.LogInAsync("a", "wrong password");
        await page.LogInAsync("b", "wrong password");

        AssertRateLimited(await page.LogInAsync("alice", "alice-calls-bob"));
        Assert.Equal(HttpStatusCode.OK, (await page.ContinueAsGuestAsync()).Status);
    }

    [Theory]
    [InlineData("/api/session/login")]
    [InlineData("/api/session/external")]
    [InlineData("/api/session/passkey/options")]
    [InlineData("/api/session/passkey")]
    [InlineData("/api/passkeys/options")]
    [InlineData("/api/passkeys")]
    [Requirement("ABUSE-91")]
    public async Task EveryLoginRequest_IsRateLimitedByAddress(string path)
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = new WwsfApp().With("Wwsf:Limits:LoginsPerMinute", "1").With(provider);
        var page = await app.OpenPageAsGuestAsync();
        Task<Answer> AskFromAsync(string address) =>
            page.SendAsync(HttpMethod.Post, path, new { user_name = "a" }, ("X-Forwarded-For", address));

        Assert.NotEqual(HttpStatusCode.TooManyRequests, (await AskFromAsync("203.0.113.7")).Status);
        AssertRateLimited(await AskFromAsync("203.0.113.7"));
        Assert.NotEqual(HttpStatusCode.TooManyRequests, (await AskFromAsync("203.0.113.8")).Status);
    }

    /// <summary>Each return costs the WWSF two requests to the provider. The limit is by client address, not by login.</summary>
    [Theory]
    [InlineData("GET", "?code=made-up&state=made-up")]
    [InlineData("GET", "?error=access_denied")]
    [InlineData("POST", "")]
    [Requirement("ABUSE-91")]
    public async Task ReturnsFromTheProvider_RateLimitedByAddress_AndThePageIsToldWhy(string method, string query)
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = new WwsfApp().With("Wwsf:Limits:LoginsPerMinute", "2").With(provider);
        var page = await app.OpenPageAsync();
        async Task<string> ReturnFromAsync(string address)
        {
            var answer = await page.SendAsync(
                new HttpMethod(method), "/api/session/external/callback" + query, null, ("X-Forwarded-For", address));
            Assert.Equal(HttpStatusCode.Redirect, answer.Status);
            return answer.Headers["Location"];
        }

        for (var i = 0; i < 2; i++) Assert.Equal("/?problem=external_failed", await ReturnFromAsync("203.0.113.7"));
        Assert.Equal("/?problem=rate_limited", await ReturnFromAsync("203.0.113.7"));
        Assert.Equal("/?problem=external_failed", await ReturnFromAsync("203.0.113.8"));
        Assert.Equal(1, app.Counts["wwsf.sessions kind=external outcome=rate_limited"]);

        // Other logins have a limit of their own.
        Assert.Equal("alice", (await page.LogInAsync("alice", "alice-calls-bob")).Text("user"));
    }

    [Fact]
    public async Task TurnTokens_RateLimitedBySession()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf).With("Wwsf:Limits:TurnTokensPerMinute", "2");
        var (page, neighbour) = (await app.OpenPageAsync(), await app.OpenPageAsync());
        await page.ContinueAsGuestAsync();
        await neighbour.ContinueAsGuestAsync();

        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
        AssertRateLimited(await page.TurnTokenAsync());
        Assert.Equal(HttpStatusCode.OK, (await neighbour.TurnTokenAsync()).Status);
        Assert.Equal(3, waf.Requests.Count);
    }

    /// <summary>The WAF counts all users as one client, so one address must not use up the tokens of all.</summary>
    [Fact]
    [Requirement("SEC-12")]
    public async Task TokensOfManyGuestsOfOneAddress_RateLimited_AndOtherAddressesAreServed()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf).With("Wwsf:Limits:TokensPerMinuteOfAddress", "3");
        for (var guest = 0; guest < 3; guest++) Assert.Equal(HttpStatusCode.OK, (await TokenFromAsync(app, "203.0.113.7")).Status);
        AssertRateLimited(await TokenFromAsync(app, "203.0.113.7"));

        Assert.Equal(HttpStatusCode.OK, (await TokenFromAsync(app, "203.0.113.8")).Status);
    }

    [Fact]
    [Requirement("SEC-12")]
    public async Task TokensOfGuestsOfManyAddresses_RateLimited_AndUsersAreServed()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf).With("Wwsf:Limits:GuestTokensPerMinute", "3");
        for (var guest = 1; guest <= 3; guest++) Assert.Equal(HttpStatusCode.OK, (await TokenFromAsync(app, $"203.0.113.{guest}")).Status);
        AssertRateLimited(await TokenFromAsync(app, "203.0.113.4"));

        var user = await app.OpenPageAsync();
        await user.LogInAsync("alice", "alice-calls-bob");
        Assert.Equal(HttpStatusCode.OK, (await user.TurnTokenAsync()).Status);
    }

    [Theory]
    [InlineData("203.0.113.7", "::ffff:203.0.113.7", true)]
    [InlineData("203.0.113.7", "203.0.113.8", false)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    public void Addresses_CountAsOneCallerOrNot(string one, string other, bool same)
    {
        static string Caller(string address) =>
            CallerAddress.Of(new DefaultHttpContext { Connection = { RemoteIpAddress = IPAddress.Parse(address) } });

        Assert.Equal(same, Caller(one) == Caller(other));
    }

    private static async Task<Answer> GuestFromAsync(WwsfApp app, string address) =>
        await (await app.OpenPageAsync()).SendAsync(HttpMethod.Post, Anonymous, null, ("X-Forwarded-For", address));

    private static async Task<Answer> TokenFromAsync(WwsfApp app, string address)
    {
        var page = await app.OpenPageAsync();
        await page.ContinueAsGuestAsync();
        return await page.SendAsync(HttpMethod.Post, "/api/turn-token", null, ("X-Forwarded-For", address));
    }

    private static void AssertRateLimited(Answer answer)
    {
        Assert.Equal(HttpStatusCode.TooManyRequests, answer.Status);
        Assert.Equal("rate_limited", answer.Code);
        Assert.InRange(int.Parse(answer.Headers["Retry-After"], null), 1, 60);
    }
}
