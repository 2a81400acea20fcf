using System.Net;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>Cookies over https have a prefix (RFC 6265bis §4.1.3), which a page of a sibling domain cannot give to its own.</summary>
[Requirement("SEC-18")]
public sealed class CookiePrefixTests
{
    private const string Https = WwsfApp.PublicOrigin;
    private const string Http = "http://localhost";
    private const string HostSession = "__Host-wwsf-session";

    public static TheoryData<string, string> Places => new()
    {
        { Https, "" },
        { Http, "https" },
    };

    [Theory]
    [MemberData(nameof(Places))]
    public async Task OverHttps_EveryCookieHasThePrefixAndWhatItRequires(string origin, string forwardedProto)
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = new WwsfApp().With(provider);
        (string, string)[] headers = forwardedProto.Length == 0 ? [] : [("X-Forwarded-Proto", forwardedProto)];
        var page = new Page(app.CreateClient(new() { BaseAddress = new(origin), HandleCookies = false, AllowAutoRedirect = false }));
        List<string> cookies = [];
        async Task SendAsync(HttpMethod method, string path, object? body = null) =>
            cookies.AddRange((await page.SendAsync(method, path, body, headers)).SetCookies);
        await SendAsync(HttpMethod.Get, "/api/session");
        await SendAsync(HttpMethod.Post, "/api/session/login", new { user_name = "alice", password = "alice-calls-bob" });
        await SendAsync(HttpMethod.Post, "/api/session/passkey/options");
        await SendAsync(HttpMethod.Post, "/api/session/passkey", new { });
        await SendAsync(HttpMethod.Post, "/api/passkeys/options");
        await SendAsync(HttpMethod.Post, "/api/session/external");
        await SendAsync(HttpMethod.Delete, "/api/session");

        string[] names =
        [
            "wwsf-session", "wwsf-antiforgery", "wwsf-browser", "wwsf-passkey", ".AspNetCore.Correlation.",
            ".AspNetCore.OpenIdConnect.Nonce.",
        ];
        foreach (var name in names)
            Assert.Contains(cookies, cookie => cookie.StartsWith("__Host-" + name, StringComparison.Ordinal));
        foreach (var cookie in cookies)
        {
            var attributes = cookie.Split("; ")[1..];
            Assert.StartsWith("__Host-", cookie);
            Assert.Contains("secure", attributes);
            Assert.Contains("httponly", attributes);
            Assert.Contains("path=/", attributes);
            Assert.DoesNotContain(attributes, attribute => attribute.StartsWith("domain", StringComparison.OrdinalIgnoreCase));
        }
    }

    [Fact]
    public async Task OverHttps_TheCookieOfAFrameHasAPathOfItsOwn()
    {
        using var app = new WwsfApp();
        var frame = await (await app.OpenPageAsync(Https)).OpenFrameAsync();
        var begun = await frame.ContinueAsGuestAsync();
        var ended = await frame.SignOutAsync();

        foreach (var cookie in (string[])[Assert.Single(begun.SetCookies), Assert.Single(ended.SetCookies)])
        {
            Assert.StartsWith("__Secure-wwsf-session-frame=", cookie);
            Assert.Contains($"path={frame.Api};", cookie);
            Assert.Contains("; secure", cookie);
        }
    }

    /// <summary>Everything of a session works: log-in, reload, tokens, sign-out.</summary>
    [Theory]
    [InlineData(Https)]
    [InlineData(Http)]
    public async Task Session_LastsFromLogInToSignOut(string origin)
    {
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = new WwsfApp(waf: waf);
        using var authenticator = new Authenticator(origin);
        var page = await app.OpenPageAsync(origin);
        Assert.Equal("alice", (await page.LogInAsync("alice", "alice-calls-bob")).Text("user"));
        Assert.Equal("alice", (await page.LoadAsync()).Text("user"));
        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await authenticator.AddToAsync(page)).Status);
        await page.SignOutAsync();
        Assert.Equal("not_signed_in", (await page.TurnTokenAsync()).Code);
        Assert.Equal("alice", (await authenticator.LogInAsync(page)).Text("user"));
        var frame = await page.OpenFrameAsync();
        await frame.ContinueAsGuestAsync();
        Assert.Equal(HttpStatusCode.OK, (await frame.TurnTokenAsync()).Status);
        Assert.Equal("alice", (await page.LoadAsync()).Text("user"));
    }

    /// <summary>
    /// Log-in CSRF: a page of a sibling domain plants the session and the antiforgery cookie of its own session. It can give them any
    /// name, except one with the prefix.
    /// </summary>
    [Theory]
    [InlineData("wwsf-session", "wwsf-antiforgery")]
    [InlineData("__Secure-wwsf-session", "__Secure-wwsf-antiforgery")]
    [InlineData("__host-wwsf-session", "__host-wwsf-antiforgery")]
    [InlineData("__HOST-wwsf-session", "__HOST-wwsf-antiforgery")]
    [InlineData("Wwsf-Session", "Wwsf-Antiforgery")]
    public async Task PlantedCookies_AreIgnoredOverHttps(string session, string antiforgery)
    {
        using var app = new WwsfApp();
        var attacker = await app.OpenPageAsync(Https);
        await attacker.LogInAsync("bob", "bob-calls-alice");
        var victim = await app.OpenPageAsync(Https);
        await victim.LogInAsync("alice", "alice-calls-bob");
        var newcomer = await app.OpenPageAsync(Https);
        newcomer.Cookies.Clear();
        foreach (var page in (Page[])[victim, newcomer])
        {
            page.Cookies[session] = attacker.Cookies[HostSession];
            page.Cookies[antiforgery] = attacker.Cookies["__Host-wwsf-antiforgery"];
        }

        Assert.Null((await newcomer.LoadAsync()).Text("user"));
        newcomer.AntiforgeryToken = attacker.AntiforgeryToken;
        Assert.Equal("antiforgery", (await newcomer.ContinueAsGuestAsync()).Code);
        Assert.Equal("alice", (await victim.LoadAsync()).Text("user"));
        Assert.Equal("alice", (await victim.SendAsync(HttpMethod.Get, "/api/session")).Text("user"));
    }

    /// <summary>A frame's cookie cannot have <c>__Host-</c>. Its session is good only in the frame that began it.</summary>
    [Theory]
    [InlineData(Https, "__Secure-")]
    [InlineData(Http, "")]
    public async Task PlantedCookieOfAnotherFrame_IsRefused(string origin, string prefix)
    {
        using var app = new WwsfApp();
        var attacker = await (await app.OpenPageAsync(origin)).OpenFrameAsync();
        await attacker.ContinueAsGuestAsync();
        var victim = await (await app.OpenPageAsync(origin)).OpenFrameAsync();
        victim.Cookies[prefix + "wwsf-session-frame"] = attacker.Cookies[prefix + "wwsf-session-frame"];
        await victim.LoadAsync();

        Assert.Equal("session_expired", (await victim.TurnTokenAsync()).Code);
        if (prefix.Length == 0) return;
        victim.Cookies.Remove(prefix + "wwsf-session-frame");
        victim.Cookies["__Host-wwsf-session-frame"] = attacker.Cookies[prefix + "wwsf-session-frame"];
        Assert.Equal("not_signed_in", (await victim.TurnTokenAsync()).Code);
    }

    /// <summary>Of two cookies with one name a browser sends first that of the longest path: the frame's own.</summary>
    [Fact]
    public async Task SecondCookieWithTheSameName_IsIgnored()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync(Http);
        await page.LogInAsync("alice", "alice-calls-bob");
        var own = page.Cookies[Page.SessionCookie];
        page.Cookies[Page.SessionCookie] = $"{own}; {Page.SessionCookie}=planted";

        Assert.Equal("alice", (await page.LoadAsync()).Text("user"));
    }

    [Theory]
    [InlineData("__Host-wwsf-session")]
    [InlineData("__Secure-wwsf-session")]
    public async Task CookieOfHttps_IsIgnoredOverHttp(string name)
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync(Https);
        await page.LogInAsync("alice", "alice-calls-bob");
        var plain = await app.OpenPageAsync(Http);
        plain.Cookies[name] = page.Cookies[HostSession];

        Assert.Equal("not_signed_in", (await plain.TurnTokenAsync()).Code);
    }

    /// <summary>Only a known proxy says that the browser came over https.</summary>
    [Fact]
    public async Task ForwardedProtoOfAStranger_DecidesNothing()
    {
        using var app = new WwsfApp { RemoteAddress = IPAddress.Parse("203.0.113.7") };
        var page = await app.OpenPageAsync(Http);
        var answer = await page.SendAsync(HttpMethod.Get, "/api/session", null, ("X-Forwarded-Proto", "https"));

        Assert.DoesNotContain(answer.SetCookies, cookie => cookie.StartsWith("__", StringComparison.Ordinal));
    }
}
