using System.Net;
using System.Text.Json;
using System.Web;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Stores;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>Scenario 2 with an account of another service: login at a real OpenID Connect provider with the steps of a browser.</summary>
public sealed class ExternalLoginTests
{
    [Fact]
    public async Task FirstLogIn_MakesAnAccountWithTheIdentityOfTheClaims()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        provider.User["impu"] = "sip:carol.c@webrtcims.local";
        provider.User["impi"] = "carol@webrtcims.local";
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = Wwsf(provider, waf);
        var browser = await Browser.OpenAsync(app);

        Assert.Equal("/", await browser.LogInAsync());
        var session = await browser.Page.LoadAsync();
        Assert.Equal("carol", session.Text("user"));
        Assert.Equal("sip:carol.c@webrtcims.local", session.Text("impu"));
        Assert.Equal("Example", session.Text("external_login"));
        Assert.Equal(1, app.Counts["wwsf.sessions kind=external outcome=ok"]);

        var token = await browser.Page.ImsTokenAsync();
        Assert.Equal(("carol@webrtcims.local", "Carol C."), (token.Text("impi"), token.Text("display_name")));
    }

    [Fact]
    public async Task LaterLogIn_SameAccountWithTheIdentityOfToday()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = Wwsf(provider);
        (string, string, string?)[] logins =
            [("carol", "carol", "sip:carol@webrtcims.local"), ("carola", "Carola", "sip:carola@webrtcims.local"), ("carola", "", null)];
        foreach (var (name, impu, expected) in logins)
        {
            provider.User["preferred_username"] = name;
            provider.User["impu"] = impu;
            var browser = await Browser.OpenAsync(app);
            Assert.Equal("/", await browser.LogInAsync());
            var session = await browser.Page.LoadAsync();
            Assert.Equal("carol", session.Text("user"));
            Assert.Equal(expected, session.Text("impu"));
        }
    }

    /// <summary>Without a claim of the provider, the operator decides the identities.</summary>
    [Fact]
    public async Task UserWithoutSubscription_IsToldWhatToDoUntilTheOperatorGivesOne()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        provider.User["impu"] = "sip:alice@webrtcims.local";
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = Wwsf(provider, waf).With("Wwsf:OpenIdConnect:ImpuClaim", "");
        var browser = await Browser.OpenAsync(app);
        Assert.Equal("/", await browser.LogInAsync());
        var refused = await browser.Page.ImsTokenAsync();
        Assert.Equal("no_subscription", refused.Code);
        Assert.Contains("Ask the operator", refused.Text("detail"));

        var identity = new Ims.ImsIdentity("c@webrtcims.local", "sip:c@webrtcims.local", "Carol");
        await app.ChangeUserAsync("carol", (users, carol) => users.AddClaimsAsync(carol, identity.ToClaims()));
        Assert.Equal("/", await browser.LogInAsync());
        Assert.Equal("sip:c@webrtcims.local", (await browser.Page.ImsTokenAsync()).Text("impu"));
    }

    [Theory]
    [InlineData("preferred_username", "alice", "external_name_taken")]
    [InlineData("preferred_username", "", "external_name_missing")]
    [InlineData("preferred_username", "carol@elsewhere", "external_name_missing")]
    [InlineData("impu", "sip:alice@webrtcims.local", "external_identity_taken")]
    [InlineData("impu", "ALICE", "external_identity_taken")]
    [InlineData("impi", "alice@webrtcims.local", "external_identity_taken")]
    [InlineData("impu", "sip:guest-7@webrtcims.local", "external_identity_taken")]
    [InlineData("impu", "sip:carol@elsewhere.example", "external_identity_invalid")]
    [InlineData("impi", "carol@elsewhere.example", "external_identity_invalid")]
    public async Task ClaimsOfSomebodyElse_NoSessionNoAccountAndACodeForTheSentence(string claim, string value, string problem)
    {
        await using var provider = await OpenIdProvider.StartAsync();
        provider.User["impu"] = "sip:carol@webrtcims.local";
        provider.User[claim] = value;
        using var app = Wwsf(provider);
        var browser = await Browser.OpenAsync(app);

        Assert.Equal("/?problem=" + problem, await browser.LogInAsync());
        Assert.Null((await browser.Page.LoadAsync()).Text("user"));
        Assert.Equal(1, app.Counts["wwsf.sessions kind=external outcome=" + problem]);
        await using var scope = app.Services.CreateAsyncScope();
        Assert.Null(await scope.ServiceProvider.GetRequiredService<UserManager<User>>().FindByNameAsync("carol"));
    }

    [Fact]
    public async Task AccountThatTheOperatorLocked_Refused()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = Wwsf(provider);
        var browser = await Browser.OpenAsync(app);
        Assert.Equal("/", await browser.LogInAsync());

        // Wrong passwords lock the name only for logins with a password.
        for (var i = 0; i < 6; i++) await (await app.OpenPageAsync()).LogInAsync("carol", "a guessed password");
        Assert.Equal("/", await browser.LogInAsync());
        await app.ChangeUserAsync("carol", (users, carol) => users.SetLockoutEndDateAsync(carol, DateTimeOffset.MaxValue));
        await browser.Page.LoadAsync();
        Assert.Equal("/?problem=external_locked", await browser.LogInAsync());
    }

    [Fact]
    public async Task CancelledConsent_Denied()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        provider.IsDenied = true;
        using var app = Wwsf(provider);
        var browser = await Browser.OpenAsync(app);

        Assert.Equal("/?problem=external_denied", await browser.LogInAsync());
        Assert.Null((await browser.Page.LoadAsync()).Text("user"));
    }

    [Fact]
    public async Task TokenOfAnotherIssuer_Refused()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        provider.Issuer = "https://another.example/";
        using var app = Wwsf(provider);
        var browser = await Browser.OpenAsync(app);

        Assert.Equal("/?problem=external_failed", await browser.LogInAsync());
        Assert.Contains("issuer", app.Logs.Text, StringComparison.OrdinalIgnoreCase);
        Assert.Null((await browser.Page.LoadAsync()).Text("user"));
    }

    [Theory]
    [InlineData("nonce")]
    [InlineData("code_challenge")]
    public async Task TokenOfAnotherLogIn_Refused(string parameter)
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = Wwsf(provider);
        var browser = await Browser.OpenAsync(app);

        var location = new UriBuilder(await browser.AskAsync());
        var query = HttpUtility.ParseQueryString(location.Query);
        query[parameter] = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        location.Query = query.ToString();
        Assert.Equal("/?problem=external_failed", await browser.ReturnAsync(await Browser.LetProviderAnswerAsync(location.ToString())));
        Assert.Null((await browser.Page.LoadAsync()).Text("user"));
    }

    [Fact]
    public async Task AnswerThatThisBrowserDidNotAskFor_Refused()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = Wwsf(provider);
        var mallory = await Browser.OpenAsync(app);
        var victim = await Browser.OpenAsync(app);
        await victim.AskAsync();

        var callback = await Browser.LetProviderAnswerAsync(await mallory.AskAsync());
        Assert.Equal("/?problem=external_failed", await victim.ReturnAsync(callback));
        Assert.Equal("/?problem=external_failed", await victim.ReturnAsync("/api/session/external/callback?code=x&state=y"));
        Assert.Null((await victim.Page.LoadAsync()).Text("user"));
        Assert.Equal("/", await mallory.ReturnAsync(callback));
    }

    [Fact]
    public async Task WrongClientSecret_FailedAndTheLogSaysWhy()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = Wwsf(provider).With("Wwsf:OpenIdConnect:ClientSecret", "another-secret-of-this-client");
        var browser = await Browser.OpenAsync(app);

        Assert.Equal("/?problem=external_failed", await browser.LogInAsync());
        Assert.Contains("invalid_client", app.Logs.Text);
        Assert.DoesNotContain("another-secret-of-this-client", app.Logs.Text);
    }

    [Fact]
    public async Task ProviderDown_SaidSoAndOtherLogInsGoOn()
    {
        using var app = new WwsfApp().With("Wwsf:OpenIdConnect:Authority", "http://127.0.0.1:9")
            .With("Wwsf:OpenIdConnect:ClientId", "x").With("Wwsf:OpenIdConnect:ClientSecret", "y");
        var page = await app.OpenPageAsync();
        var answer = await page.SendAsync(HttpMethod.Post, "/api/session/external");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.Status);
        Assert.Equal("external_unavailable", answer.Code);
        Assert.Contains("Wwsf:OpenIdConnect:Authority", app.Logs.Text);
        Assert.Equal(1, app.Counts["wwsf.sessions kind=external outcome=external_unavailable"]);
        Assert.Equal("alice", (await page.LogInAsync("alice", "alice-calls-bob")).Text("user"));
    }

    [Fact]
    public async Task ProviderGoneOnTheWayBack_SaidSo()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = Wwsf(provider);
        var browser = await Browser.OpenAsync(app);

        var callback = await Browser.LetProviderAnswerAsync(await browser.AskAsync());
        await provider.StopAsync();
        Assert.Equal("/?problem=external_unavailable", await browser.ReturnAsync(callback));
    }

    [Fact]
    public async Task BehindTheGateway_TheProviderSendsTheBrowserBackToIt()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = Wwsf(provider);
        var page = await app.OpenPageAsync("https://localhost");
        var answer = await page.SendAsync(
            HttpMethod.Post, "/api/session/external", null, ("X-Forwarded-Host", "calls.example.com"), ("X-Forwarded-Proto", "https"));

        var query = HttpUtility.ParseQueryString(new Uri(answer.Text("location")!).Query);
        Assert.Equal("https://calls.example.com/api/session/external/callback", query["redirect_uri"]);
        Assert.Equal(("code", "S256", "openid profile"), (query["response_type"], query["code_challenge_method"], query["scope"]));
        var cookies = answer.SetCookies.Where(cookie => cookie.StartsWith("__Host-.AspNetCore", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, cookies.Count);
        foreach (var cookie in cookies)
        {
            foreach (var attribute in (string[])["secure", "httponly", "samesite=lax", "path=/"])
                Assert.Contains(attribute, cookie, StringComparison.OrdinalIgnoreCase);
        }
    }

    /// <summary>The provider of this test accepts a code again, so only the WWSF can refuse the copy.</summary>
    [Fact]
    [Requirement("SEC-9")]
    public async Task CopyOfTheReturn_GetsNoSession()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = Wwsf(provider);
        using var replica = Wwsf(provider).WithDatabaseOf(app);
        var browser = await Browser.OpenAsync(app);
        var callback = await Browser.LetProviderAnswerAsync(await browser.AskAsync());
        var copies = new[] { await Browser.OpenAsync(app), await Browser.OpenAsync(replica) };
        foreach (var copy in copies)
        {
            foreach (var (name, value) in browser.Page.Cookies) copy.Page.Cookies[name] = value;
        }

        Assert.Equal("/", await browser.ReturnAsync(callback));
        foreach (var copy in copies)
        {
            Assert.Equal("/?problem=external_failed", await copy.ReturnAsync(callback));
            Assert.Null((await copy.Page.LoadAsync()).Text("user"));
        }
    }

    [Theory]
    [InlineData("Development", "http://localhost:5173", "http://localhost:5173")]
    [InlineData("Development", "https://calls.example.com", "https://calls.example.com")]
    [InlineData("Development", "https://evil.example", "https://calls.example.com")]
    [InlineData("Production", "https://calls.example.com:444", "https://calls.example.com")]
    [InlineData("Production", "https://evil.example", "https://calls.example.com")]
    [InlineData("Production", "https://phone.example", "https://phone.example")]
    [Requirement("SEC-10")]
    public async Task ProviderSendsTheBrowserOnlyToAnOriginOfThePage(string environment, string origin, string expected)
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = new WwsfApp(environment).With(provider).With("Wwsf:PublicOrigin:1", "https://phone.example");
        var page = await app.OpenPageAsync(origin);
        var location = (await page.SendAsync(HttpMethod.Post, "/api/session/external")).Text("location")!;

        Assert.Equal(expected + "/api/session/external/callback", HttpUtility.ParseQueryString(new Uri(location).Query)["redirect_uri"]);
    }

    [Fact]
    public async Task LogInOverAGuest_TheGuestsSessionEnds()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = Wwsf(provider);
        var browser = await Browser.OpenAsync(app);
        await browser.Page.ContinueAsGuestAsync();
        var guest = browser.Page.Cookies[Page.SessionCookie];

        var callback = await Browser.LetProviderAnswerAsync(await browser.AskAsync());
        // A browser does not send a Strict cookie when it comes from another site.
        browser.Page.Cookies.Remove(Page.SessionCookie);
        Assert.Equal("/", await browser.ReturnAsync(callback));
        browser.Page.Cookies[Page.SessionCookie] = guest;
        var answer = await browser.Page.LoadAsync();
        Assert.Null(answer.Text("user"));
        Assert.Equal(JsonValueKind.Null, answer.Json.GetProperty("anonymous").ValueKind);
    }

    [Fact]
    [Requirement("ABUSE-92")]
    public async Task AnotherUserLogsInInTheSameBrowser_TheFirstSessionEnds()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = Wwsf(provider);
        var browser = await Browser.OpenAsync(app);
        Assert.Equal("/", await browser.LogInAsync());
        var carol = browser.Page.Cookies[Page.SessionCookie];
        (provider.User["sub"], provider.User["preferred_username"]) = ("248289761002", "dora");

        var callback = await Browser.LetProviderAnswerAsync(await browser.AskAsync());
        browser.Page.Cookies.Remove(Page.SessionCookie);
        Assert.Equal("/", await browser.ReturnAsync(callback));
        Assert.Equal("dora", (await browser.Page.LoadAsync()).Text("user"));

        browser.Page.Cookies[Page.SessionCookie] = carol;
        Assert.Null((await browser.Page.LoadAsync()).Text("user"));
    }

    [Fact]
    [Requirement("ABUSE-92")]
    public async Task ReturnFromTheProviderTwice_TheSecondIsRefused()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = Wwsf(provider);
        var browser = await Browser.OpenAsync(app);
        var callback = await Browser.LetProviderAnswerAsync(await browser.AskAsync());

        Assert.Equal("/", await browser.ReturnAsync(callback));
        Assert.Equal("/?problem=external_failed", await browser.ReturnAsync(callback));
        Assert.Equal("carol", (await browser.Page.LoadAsync()).Text("user"));
    }

    [Fact]
    public async Task ClaimAndScopeSettings_SayWhichClaimsCount()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        (string, string)[] claims = [("nick", "dora"), ("phone", "dora.d"), ("private", "dora.private"), ("label", "Dora D.")];
        foreach (var (claim, value) in claims) provider.User[claim] = value;
        await using var waf = await ScriptedWaf.StartAsync();
        using var app = Wwsf(provider, waf)
            .With("Wwsf:OpenIdConnect:UserClaim", "nick").With("Wwsf:OpenIdConnect:ImpuClaim", "phone")
            .With("Wwsf:OpenIdConnect:ImpiClaim", "private").With("Wwsf:OpenIdConnect:DisplayNameClaim", "label");
        var browser = await Browser.OpenAsync(app);
        Assert.Equal("/", await browser.LogInAsync());
        Assert.Equal("dora", (await browser.Page.LoadAsync()).Text("user"));
        var token = await browser.Page.ImsTokenAsync();
        Assert.Equal(
            ("sip:dora.d@webrtcims.local", "dora.private@webrtcims.local", "Dora D."),
            (token.Text("impu"), token.Text("impi"), token.Text("display_name")));

        using var other = Wwsf(provider).With("Wwsf:OpenIdConnect:Scopes:0", "email").With("Wwsf:OpenIdConnect:Scopes:1", "phone");
        var location = new Uri(await (await Browser.OpenAsync(other)).AskAsync());
        Assert.Equal("openid email phone", HttpUtility.ParseQueryString(location.Query)["scope"]);
    }

    [Fact]
    public async Task SignedOut_TheSessionIsOver()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = Wwsf(provider);
        var browser = await Browser.OpenAsync(app);
        Assert.Equal("/", await browser.LogInAsync());
        var cookie = browser.Page.Cookies[Page.SessionCookie];

        Assert.Null((await browser.Page.SignOutAsync()).Text("user"));
        browser.Page.Cookies[Page.SessionCookie] = cookie;
        Assert.Null((await browser.Page.LoadAsync()).Text("user"));
    }

    /// <summary>With a passkey here, a user that the provider no longer admits could still log in.</summary>
    [Fact]
    public async Task AccountOfTheProvider_GetsNoPasskeyHere()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = Wwsf(provider);
        var browser = await Browser.OpenAsync(app);
        await browser.LogInAsync();

        Assert.Equal("passkey_of_provider", (await browser.Page.SendAsync(HttpMethod.Post, "/api/passkeys/options")).Code);
    }

    [Fact]
    public async Task WithoutAntiforgeryToken_Refused()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = Wwsf(provider);
        var page = await app.OpenPageAsync();
        page.AntiforgeryToken = "";
        Assert.Equal("antiforgery", (await page.SendAsync(HttpMethod.Post, "/api/session/external")).Code);
    }

    [Fact]
    public async Task WithoutProvider_ThereIsNoSuchAddress()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();

        Assert.Equal(HttpStatusCode.NotFound, (await page.SendAsync(HttpMethod.Post, "/api/session/external")).Status);
        Assert.Null((await page.LoadAsync()).Text("external_login"));
    }

    private static WwsfApp Wwsf(OpenIdProvider provider, ScriptedWaf? waf = null) => new WwsfApp(waf: waf).With(provider)
        .With("Wwsf:OpenIdConnect:DisplayName", "Example")
        .With("Wwsf:OpenIdConnect:ImpuClaim", "impu");
}
