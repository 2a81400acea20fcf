using System.Net;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Tests;

public sealed class SessionTests
{
    [Fact]
    public async Task NoSession_SessionIsNullsAndAToken()
    {
        using var app = new WwsfApp();
        var answer = await (await app.OpenPageAsync()).LoadAsync();

        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal(
            ["user", "anonymous", "impu", "registered", "antiforgery_token", "external_login", "password_login", "stage"], answer.Members);
        Assert.Equal(JsonValueKind.Null, answer.Json.GetProperty("user").ValueKind);
        Assert.Equal(JsonValueKind.Null, answer.Json.GetProperty("anonymous").ValueKind);
        Assert.Equal(JsonValueKind.Null, answer.Json.GetProperty("impu").ValueKind);
        Assert.False(answer.Json.GetProperty("registered").GetBoolean());
        Assert.Contains("no-store", answer.Headers["Cache-Control"]);
    }

    /// <summary>The gateway asks this before it accepts spans and traces of a page.</summary>
    [Fact]
    [Requirement("SEC-3")]
    public async Task GatewayLearnsWhetherASessionIsLive()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        var before = await page.SendAsync(HttpMethod.Get, "/session");
        await page.ContinueAsGuestAsync();
        var during = await page.SendAsync(HttpMethod.Get, "/session");
        await page.SignOutAsync();
        var after = await page.SendAsync(HttpMethod.Get, "/session");

        Assert.Equal(
            [HttpStatusCode.Unauthorized, HttpStatusCode.NoContent, HttpStatusCode.Unauthorized],
            new[] { before, during, after }.Select(answer => answer.Status));
    }

    [Fact]
    public async Task Guest_HasAnonymousSessionOnEveryLoad()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        var begun = await page.ContinueAsGuestAsync();
        var loaded = await page.LoadAsync();

        foreach (var answer in (Answer[])[begun, loaded])
        {
            Assert.Equal(HttpStatusCode.OK, answer.Status);
            Assert.Null(answer.Text("user"));
            Assert.True(answer.Json.GetProperty("anonymous").GetBoolean());
        }
        Assert.Equal(1, app.Counts["wwsf.sessions kind=anonymous outcome=ok"]);
    }

    [Fact]
    public async Task GuestWhoAsksAgain_KeepsTheSession()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        await page.ContinueAsGuestAsync();
        var cookie = page.Cookies[Page.SessionCookie];
        var again = await page.ContinueAsGuestAsync();

        Assert.Equal(HttpStatusCode.OK, again.Status);
        Assert.Equal(cookie, page.Cookies[Page.SessionCookie]);
    }

    [Fact]
    public async Task LogIn_GivesTheUsersSession()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        var answer = await page.LogInAsync("ALICE", "alice-calls-bob");

        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal("alice", answer.Text("user"));
        Assert.False(answer.Json.GetProperty("anonymous").GetBoolean());
        Assert.Equal("alice", (await page.LoadAsync()).Text("user"));
        Assert.Equal(1, app.Counts["wwsf.sessions kind=user outcome=ok"]);
    }

    [Theory]
    [InlineData("http://localhost", null, false)]
    [InlineData("https://localhost", null, true)]
    [InlineData("http://localhost", "https", true)]
    public async Task Cookies_AreStrictAndSecureOnHttps(string origin, string? forwardedProto, bool secure)
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync(origin);
        page.Cookies.Clear();
        (string, string)[] headers =
            forwardedProto is null ? [] : [("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", forwardedProto)];
        var loaded = await page.SendAsync(HttpMethod.Get, "/api/session", null, headers);
        var begun = await page.SendAsync(HttpMethod.Post, "/api/session/anonymous", null, headers);

        string[] cookies = [.. loaded.SetCookies, .. begun.SetCookies];
        Assert.Equal(2, cookies.Length);
        foreach (var cookie in cookies)
        {
            var attributes = cookie.Split("; ")[1..];
            Assert.Contains("httponly", attributes);
            Assert.Contains("samesite=strict", attributes);
            Assert.Contains("path=/", attributes);
            Assert.Equal(secure, attributes.Contains("secure"));
            Assert.DoesNotContain(attributes, attribute => attribute.StartsWith("expires", StringComparison.OrdinalIgnoreCase));
        }
    }

    [Fact]
    public async Task SessionLifetimeOver_SessionExpired()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var app = new WwsfApp(waf: waf) { Time = time }.With("Wwsf:SessionLifetime", "01:00:00");
        var page = await app.OpenPageAsync();
        await page.ContinueAsGuestAsync();

        time.Advance(TimeSpan.FromMinutes(59));
        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);

        // Use does not extend it.
        time.Advance(TimeSpan.FromMinutes(1.1));
        var answer = await page.TurnTokenAsync();
        Assert.Equal(HttpStatusCode.Unauthorized, answer.Status);
        Assert.Equal("session_expired", answer.Code);
        Assert.Null((await page.LoadAsync()).Text("user"));
        Assert.Equal(1, app.Counts["wwsf.turn_tokens outcome=session_expired"]);
    }

    [Fact]
    public async Task NoSession_NotSignedIn()
    {
        using var app = new WwsfApp();
        var answer = await (await app.OpenPageAsync()).TurnTokenAsync();

        Assert.Equal(HttpStatusCode.Unauthorized, answer.Status);
        Assert.Equal("not_signed_in", answer.Code);
        Assert.NotEmpty(answer.Text("detail")!);
        Assert.StartsWith("application/problem+json", answer.Headers["Content-Type"]);
        Assert.Equal("no-store", answer.Headers["Cache-Control"]);
        Assert.Equal(1, app.Counts["wwsf.turn_tokens outcome=not_signed_in"]);
    }

    [Theory]
    [InlineData("garbage")]
    [InlineData("CfDJ8APLPUCJbt1EnAKQKDPIk8BtBtroF_n4pU5wx8ujOZWBA1CalHXnjPJpd7hb")]
    public async Task ForgedCookie_SessionExpired(string cookie)
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        page.Cookies[Page.SessionCookie] = cookie;

        Assert.Equal("session_expired", (await page.TurnTokenAsync()).Code);
    }

    [Fact]
    public async Task SignedOut_StolenCookieIsWorthless()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf);
        var page = await app.OpenPageAsync();
        await page.LogInAsync("alice", "alice-calls-bob");
        var (stolen, token) = (page.Cookies[Page.SessionCookie], page.AntiforgeryToken);
        var answer = await page.SignOutAsync();

        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal(JsonValueKind.Null, answer.Json.GetProperty("anonymous").ValueKind);
        Assert.DoesNotContain(Page.SessionCookie, page.Cookies.Keys);

        page.Cookies[Page.SessionCookie] = stolen;
        page.AntiforgeryToken = token;
        Assert.Equal("session_expired", (await page.TurnTokenAsync()).Code);
        Assert.Empty(waf.Requests);
    }

    [Fact]
    [Requirement("ABUSE-92")]
    public async Task MoreSignOuts_EndedSessionsStayEndedUntilTheirCookiesExpire()
    {
        var time = new ObservedTime(TimeProvider.System.GetUtcNow());
        await using var epCscf = await ScriptedEpCscf.StartAsync();
        using var app = new WwsfApp(epCscf: epCscf) { Time = time }.With("Wwsf:SessionLifetime", "01:00:00");
        var ended = new List<Page>();
        for (var i = 0; i < 3; i++)
        {
            ended.Add(await EndSessionAsync(app));
            foreach (var page in ended) Assert.Equal("session_expired", (await page.TurnTokenAsync()).Code);
            Assert.Equal(ended.Count, await CountEndedSessionsAsync(app));
            time.Advance(TimeSpan.FromMinutes(30));
        }

        // The cookies expire after 120, 150 and 180 minutes; it is minute 90. The rows of expired cookies are deleted.
        time.Advance(TimeSpan.FromMinutes(29));
        await EndSessionAsync(app);
        Assert.Equal(4, await CountEndedSessionsAsync(app));
        time.Advance(TimeSpan.FromMinutes(2));
        await SessionSweeps.RunAsync(time);
        Assert.Equal(3, await CountEndedSessionsAsync(app));
        foreach (var page in ended) Assert.Equal("session_expired", (await page.TurnTokenAsync()).Code);
    }

    [Fact]
    [Requirement("ABUSE-92")]
    public async Task RestartBetweenSignOuts_EndedSessionsStayEnded_AndOthersGoOn()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var before = new WwsfApp(waf: waf);
        var first = await EndSessionAsync(before);
        var alive = await before.OpenPageAsAliceAsync();

        using var after = new WwsfApp(waf: waf).WithDatabaseOf(before);
        await EndSessionAsync(after);
        Assert.Equal("session_expired", (await (await first.MoveToAsync(after)).TurnTokenAsync()).Code);
        Assert.Equal(HttpStatusCode.OK, (await (await alive.MoveToAsync(after)).TurnTokenAsync()).Status);
    }

    [Fact]
    public async Task OtherUsersInTheSameBrowser_EachLoginEndsTheSessionBefore()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf);
        var page = await app.OpenPageAsync();
        var cookies = new List<string>();
        foreach (var (name, password) in new[] { ("alice", "alice-calls-bob"), ("bob", "bob-calls-alice"), ("alice", "alice-calls-bob") })
        {
            Assert.Equal(name, (await page.LogInAsync(name, password)).Text("user"));
            cookies.Add(page.Cookies[Page.SessionCookie]);
        }

        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
        foreach (var cookie in cookies[..2])
        {
            page.Cookies[Page.SessionCookie] = cookie;
            Assert.Equal("session_expired", (await page.TurnTokenAsync()).Code);
        }
    }

    /// <summary>A page with the cookie of a session that was ended.</summary>
    private static async Task<Page> EndSessionAsync(WwsfApp app)
    {
        var page = await app.OpenPageAsAliceAsync();
        var cookie = page.Cookies[Page.SessionCookie];
        Assert.Equal(HttpStatusCode.OK, (await page.SignOutAsync()).Status);
        page.Cookies[Page.SessionCookie] = cookie;
        return page;
    }

    private static async Task<int> CountEndedSessionsAsync(WwsfApp app)
    {
        await using var scope = app.Services.CreateAsyncScope();
        var store = scope.ServiceProvider.GetRequiredService<WwsfStore>();
        return await store.Sessions.CountAsync(row => row.EndedAt != null, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task LogInOverAGuestSession_EndsTheGuestSession()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        await page.ContinueAsGuestAsync();
        var guest = page.Cookies[Page.SessionCookie];
        Assert.Equal("alice", (await page.LogInAsync("alice", "alice-calls-bob")).Text("user"));

        page.Cookies[Page.SessionCookie] = guest;
        Assert.Equal("session_expired", (await page.TurnTokenAsync()).Code);
    }

    [Fact]
    public async Task SignOutTwiceFromTwoTabs_BothSucceed()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        await page.ContinueAsGuestAsync();
        var otherTab = await app.OpenPageAsync();
        foreach (var cookie in page.Cookies) otherTab.Cookies[cookie.Key] = cookie.Value;
        otherTab.AntiforgeryToken = page.AntiforgeryToken;

        var answers = await Task.WhenAll(page.SignOutAsync(), otherTab.SignOutAsync());
        // The second request may find the session ended, and its token invalid.
        Assert.All(answers, answer => Assert.True(answer.Status == HttpStatusCode.OK || answer.Code == "antiforgery"));
        Assert.Contains(answers, answer => answer.Status == HttpStatusCode.OK);
    }

    [Fact]
    public async Task ServiceRestarted_SessionsGoOn()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var first = new WwsfApp(waf: waf);
        var page = await first.OpenPageAsync();
        await page.LogInAsync("bob", "bob-calls-alice");

        using var second = new WwsfApp(waf: waf).WithDatabaseOf(first);
        var after = await page.MoveToAsync(second);
        Assert.Equal("bob", (await after.LoadAsync()).Text("user"));
        Assert.Equal(HttpStatusCode.OK, (await after.TurnTokenAsync()).Status);
    }

    [Fact]
    public async Task ReplicaWithTheKeyDirectoryOfAnother_AcceptsItsCookies_AndOneWithAnotherDoesNot()
    {
        using var first = new WwsfApp();
        first.With("Wwsf:KeyDirectory", Path.Combine(first.Folder, "shared"));
        var page = await first.OpenPageAsAliceAsync();

        using var second = new WwsfApp().WithDatabaseOf(first).With("Wwsf:KeyDirectory", Path.Combine(first.Folder, "shared"));
        using var third = new WwsfApp().WithDatabaseOf(first);
        Assert.Equal("alice", (await (await page.MoveToAsync(second)).LoadAsync()).Text("user"));
        Assert.Null((await (await page.MoveToAsync(third)).LoadAsync()).Text("user"));
        Assert.Single(Directory.GetFiles(Path.Combine(first.Folder, "shared"), "key-*.xml"));
    }

    [Theory]
    [InlineData("POST", "/api/session/login")]
    [InlineData("POST", "/api/session/anonymous")]
    [InlineData("DELETE", "/api/session")]
    [InlineData("POST", "/api/turn-token")]
    [Requirement("ABUSE-92")]
    public async Task WithoutAntiforgeryToken_Refused(string method, string path)
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf);
        var page = await app.OpenPageAsync();
        await page.ContinueAsGuestAsync();
        page.AntiforgeryToken = "";
        var body = method == "POST" ? new { user_name = "alice", password = "alice-calls-bob" } : null;
        var answer = await page.SendAsync(new HttpMethod(method), path, body);

        Assert.Equal(HttpStatusCode.BadRequest, answer.Status);
        Assert.Equal("antiforgery", answer.Code);
        Assert.Empty(answer.SetCookies);
        Assert.Empty(waf.Requests);
        Assert.True((await page.LoadAsync()).Json.GetProperty("anonymous").GetBoolean());
    }

    [Fact]
    [Requirement("ABUSE-92")]
    public async Task AntiforgeryTokenOfAnotherSession_Refused()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        var tokenWithoutSession = page.AntiforgeryToken;
        await page.ContinueAsGuestAsync();
        var guestsToken = page.AntiforgeryToken;

        page.AntiforgeryToken = tokenWithoutSession;
        Assert.Equal("antiforgery", (await page.SignOutAsync()).Code);
        page.AntiforgeryToken = guestsToken;
        Assert.Equal(HttpStatusCode.OK, (await page.SignOutAsync()).Status);
    }

    [Fact]
    [Requirement("ABUSE-92")]
    public async Task OtherOrigin_GetsNoCorsHeader()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        var answer = await page.SendAsync(HttpMethod.Get, "/api/session", null, ("Origin", "https://evil.example"));

        Assert.DoesNotContain(answer.Headers.Keys, name => name.StartsWith("Access-Control", StringComparison.OrdinalIgnoreCase));
    }
}
