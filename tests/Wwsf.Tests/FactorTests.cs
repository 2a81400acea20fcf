using System.Net;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Sessions;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>Two factors to log in, and a recent log-in to change factors.</summary>
public sealed class FactorTests : IAsyncLifetime
{
    private const string Password = "alice-calls-bob";

    private readonly ObservedTime _time = new(TimeProvider.System.GetUtcNow());
    private readonly Authenticator _authenticator = new();
    private ScriptedWaf _waf = null!;

    public async ValueTask InitializeAsync() => _waf = await ScriptedWaf.StartAsync();

    public async ValueTask DisposeAsync()
    {
        _authenticator.Dispose();
        await _waf.DisposeAsync();
    }

    [Fact]
    [Requirement("SEC-34")]
    public async Task PasswordAlone_GivesNoToken_UntilAPasskeyIsAdded()
    {
        using var app = NewApp();
        var page = await app.OpenPageAsAliceAsync();
        foreach (var answer in new[] { await page.TurnTokenAsync(), await page.ImsTokenAsync() })
            Assert.Equal((HttpStatusCode.Forbidden, "passkey_missing"), (answer.Status, answer.Code));
        Assert.Empty(_waf.Requests);

        Assert.Equal(HttpStatusCode.NoContent, (await _authenticator.AddToAsync(page)).Status);

        await page.LoadAsync();
        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
        Assert.Equal(HttpStatusCode.OK, (await page.ImsTokenAsync()).Status);
    }

    [Fact]
    [Requirement("SEC-34")]
    public async Task UserWithAPasskey_CannotLogInWithThePassword()
    {
        using var app = NewApp();
        await _authenticator.AddToAsync(await app.OpenPageAsAliceAsync());
        var page = await app.OpenPageAsync();

        Assert.Equal("passkey_required", (await page.LogInAsync("alice", Password)).Code);
        Assert.Null((await page.LoadAsync()).Text("user"));
        // A wrong password says nothing about passkeys.
        Assert.Equal("login_failed", (await PastFailureTime.RunAsync(_time, page.LogInAsync("alice", "a wrong password"))).Code);
        Assert.Equal("alice", (await _authenticator.LogInAsync(page)).Text("user"));
        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
    }

    /// <summary>Another person has the password and logged in before the user added a passkey.</summary>
    [Fact]
    [Requirement("SEC-34")]
    public async Task SessionOfThePasswordAlone_GetsNothingFromThePasskeyOfAnotherSession()
    {
        using var app = NewApp();
        var (stranger, page) = (await app.OpenPageAsAliceAsync(), await app.OpenPageAsAliceAsync());
        await _authenticator.AddToAsync(page);
        await page.LoadAsync();

        Assert.Equal("passkey_missing", (await stranger.TurnTokenAsync()).Code);
        Assert.Equal("log_in_again", (await stranger.SendAsync(HttpMethod.Post, "/api/passkeys/options")).Code);
        var id = (await page.SendAsync(HttpMethod.Get, "/api/passkeys")).Json.GetProperty("passkeys")[0].GetProperty("id").GetString();
        foreach (var (method, path) in new[]
        {
            (HttpMethod.Delete, $"/api/passkeys/{id}"), (HttpMethod.Delete, "/api/sessions"), (HttpMethod.Post, "/api/password"),
        })
        {
            var answer = await stranger.SendAsync(method, path,
                method == HttpMethod.Post ? new { current_password = Password, new_password = "kettle violin 27 orbit" } : null);
            Assert.Equal("log_in_again", answer.Code);
        }
        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
    }

    [Fact]
    [Requirement("SEC-34")]
    public async Task WithoutPasswords_ThereIsNoSuchLogIn()
    {
        using var app = NewApp("Never");
        var page = await app.OpenPageAsync();

        Assert.False((await page.LoadAsync()).Json.GetProperty("password_login").GetBoolean());
        Assert.Equal("not_found", (await page.LogInAsync("alice", Password)).Code);
        Assert.Equal("not_found", (await page.SendAsync(HttpMethod.Post, "/api/password", new { })).Code);
    }

    [Fact]
    [Requirement("SEC-34")]
    public async Task GuestsAndUsersOfAProvider_NeedNoPasskeyHere()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        // The handler of ASP.NET Core compares with its own clock.
        using var app = new WwsfApp(waf: _waf).With("Wwsf:PasswordLogin", "UntilPasskey").With(provider);
        var browser = await Browser.OpenAsync(app);
        Assert.Equal("/", await browser.LogInAsync());

        Assert.Equal(HttpStatusCode.OK, (await browser.Page.TurnTokenAsync()).Status);
        Assert.Equal(HttpStatusCode.OK, (await (await app.OpenPageAsGuestAsync()).TurnTokenAsync()).Status);
    }

    [Theory]
    [InlineData("Development", "Always")]
    [InlineData("Production", "UntilPasskey")]
    [InlineData("Staging", "UntilPasskey")]
    [Requirement("SEC-34")]
    public void Default_AsksForTwoFactorsOutsideDevelopment(string environment, string expected)
    {
        using var app = new WwsfApp(environment);
        Assert.Equal(expected, app.Services.GetRequiredService<WwsfSettings>().PasswordLogin.ToString());
    }

    [Fact]
    [Requirement("SEC-34")]
    public async Task LongAfterTheLogIn_NothingThatLogsInCanBeChanged_UntilTheUserLogsInAgain()
    {
        using var app = NewApp("Always");
        var (page, other) = (await app.OpenPageAsAliceAsync(), await app.OpenPageAsAliceAsync());
        await _authenticator.AddToAsync(page);
        var passkeys = (await page.SendAsync(HttpMethod.Get, "/api/passkeys")).Json.GetProperty("passkeys");
        var passkey = $"/api/passkeys/{passkeys[0].GetProperty("id").GetString()}";
        _time.Advance(FactorChecks.Recent);

        (HttpMethod Method, string Path)[] changes =
        [
            (HttpMethod.Post, "/api/passkeys/options"), (HttpMethod.Post, "/api/passkeys"), (HttpMethod.Delete, passkey),
            (HttpMethod.Post, "/api/password"), (HttpMethod.Delete, "/api/sessions"), (HttpMethod.Delete, "/api/sessions/x"),
        ];
        foreach (var (method, path) in changes)
        {
            var answer = await page.SendAsync(method, path, new { });
            Assert.Equal((path, HttpStatusCode.Forbidden, "log_in_again"), (path, answer.Status, answer.Code));
        }
        foreach (var path in (string[])["/api/passkeys", "/api/sessions"])
            Assert.Equal(HttpStatusCode.OK, (await page.SendAsync(HttpMethod.Get, path)).Status);
        Assert.Equal(HttpStatusCode.OK, (await other.TurnTokenAsync()).Status);

        await _authenticator.LogInAsync(page);
        Assert.Equal(HttpStatusCode.NoContent, (await page.SendAsync(HttpMethod.Delete, "/api/sessions")).Status);
        Assert.Equal("session_expired", (await other.TurnTokenAsync()).Code);
        Assert.Equal(HttpStatusCode.NoContent, (await page.SendAsync(HttpMethod.Delete, passkey)).Status);
        Assert.Equal(0, (await page.SendAsync(HttpMethod.Get, "/api/passkeys")).Json.GetProperty("passkeys").GetArrayLength());
        Assert.Single(app.LogsWith("removed a passkey from 127.0.0.1"));
        await page.SignOutAsync();
        Assert.Equal("passkey_failed", (await _authenticator.LogInAsync(page)).Code);
    }

    [Fact]
    [Requirement("SEC-34")]
    public async Task PasskeyOfAnotherUser_IsNeitherListedNorRemoved()
    {
        using var app = NewApp("Always");
        var (page, bob) = (await app.OpenPageAsAliceAsync(), await app.OpenPageAsync());
        await bob.LogInAsync("bob", "bob-calls-alice");
        await _authenticator.AddToAsync(page);
        var passkeys = (await page.SendAsync(HttpMethod.Get, "/api/passkeys")).Json.GetProperty("passkeys");

        Assert.Equal(0, (await bob.SendAsync(HttpMethod.Get, "/api/passkeys")).Json.GetProperty("passkeys").GetArrayLength());
        await bob.SendAsync(HttpMethod.Delete, $"/api/passkeys/{passkeys[0].GetProperty("id").GetString()}");

        Assert.Equal("alice", (await _authenticator.LogInAsync(page)).Text("user"));
    }

    private WwsfApp NewApp(string passwordLogin = "UntilPasskey") =>
        new WwsfApp(waf: _waf) { Time = _time }.With("Wwsf:PasswordLogin", passwordLogin);
}
