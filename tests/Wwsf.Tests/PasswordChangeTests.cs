using System.Net;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Telemetry;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.Tests;

/// <summary><c>POST /api/password</c>.</summary>
public sealed class PasswordChangeTests : IAsyncLifetime
{
    private const string Old = "alice-calls-bob";
    private const string New = "kettle violin 27 orbit";

    private readonly ObservedTime _time = new(TimeProvider.System.GetUtcNow());
    private ScriptedWaf _waf = null!;
    private ScriptedEpCscf _epCscf = null!;

    public async ValueTask InitializeAsync() =>
        (_waf, _epCscf) = (await ScriptedWaf.StartAsync(), await ScriptedEpCscf.StartAsync());

    public async ValueTask DisposeAsync()
    {
        await _epCscf.DisposeAsync();
        await _waf.DisposeAsync();
    }

    [Fact]
    [Requirement("SEC-33")]
    public async Task NewPassword_LogsIn_TheSessionStays_AndTheOthersEndAtOnce()
    {
        using var app = NewApp();
        var (page, other, bob) = (await app.OpenPageAsAliceAsync(), await app.OpenPageAsAliceAsync(), await app.OpenPageAsync());
        await bob.LogInAsync("bob", "bob-calls-alice");
        var (sid, othersSid) = (await SidAsync(page), await SidAsync(other));

        Assert.Equal(HttpStatusCode.NoContent, (await ChangeAsync(page, Old, New)).Status);

        Assert.Equal("session_expired", (await other.TurnTokenAsync()).Code);
        // Without a sweep.
        Assert.Contains(("end", othersSid), _epCscf.Requests);
        Assert.DoesNotContain(("end", sid), _epCscf.Requests);
        Assert.Single(app.LogsWith(EndReason.PasswordChanged));
        await SessionSweeps.RunAsync(_time);
        Assert.Equal(sid, await SidAsync(page));
        Assert.Equal(HttpStatusCode.OK, (await bob.TurnTokenAsync()).Status);
        await other.LoadAsync();
        Assert.Equal("login_failed", (await PastFailureTime.RunAsync(_time, other.LogInAsync("alice", Old))).Code);
        Assert.Equal("alice", (await other.LogInAsync("alice", New)).Text("user"));
    }

    [Fact]
    [Requirement("SEC-33")]
    public async Task WrongCurrentPassword_ChangesNothing_AndCountsLikeALogIn()
    {
        using var app = NewApp();
        var page = await app.OpenPageAsAliceAsync();
        for (var i = 0; i < FailedLogins.MaxFailures; i++)
            Assert.Equal("wrong_password", (await PastFailureTime.RunAsync(_time, ChangeAsync(page, "a wrong password", New))).Code);

        var locked = await PastFailureTime.RunAsync(_time, ChangeAsync(page, Old, New));
        Assert.Equal("locked_out", locked.Code);
        Assert.Contains("Retry-After", locked.Headers.Keys);
        Assert.Equal("locked_out", (await PastFailureTime.RunAsync(_time, page.LogInAsync("alice", Old))).Code);
        _time.Advance(FailedLogins.Memory);
        Assert.Equal("alice", (await page.LogInAsync("alice", Old)).Text("user"));
    }

    [Theory]
    [InlineData("short but odd")]
    [InlineData("passwordpassword")]
    [InlineData("P@ssw0rd12345")]
    [InlineData("qwertyuiop1234")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("alice-alice-alice")]
    [InlineData("WebRtcIms-2026!")]
    [InlineData("calls.example.com")]
    [Requirement("SEC-33")]
    public async Task PasswordThatIsEasyToGuess_IsRefused(string password)
    {
        using var app = NewApp();
        var page = await app.OpenPageAsAliceAsync();
        if (password == "short but odd") password = password[..11];

        var answer = await ChangeAsync(page, Old, password);

        Assert.Equal((HttpStatusCode.BadRequest, "weak_password"), (answer.Status, answer.Code));
        Assert.Equal("alice", (await page.LogInAsync("alice", Old)).Text("user"));
    }

    [Theory]
    [InlineData("kettle violin 27 orbit")]
    [InlineData("  spaces at both ends, kept  ")]
    [InlineData("Блокнот и самовар 7 дней")]
    [InlineData("🦔🎺 hedgehog with a trumpet")]
    [Requirement("SEC-33")]
    public async Task AnyCharacters_AreKeptAsTheyCame(string password)
    {
        using var app = NewApp();
        var page = await app.OpenPageAsAliceAsync();
        var whole = string.Concat(Enumerable.Repeat(password, 5));
        Assert.InRange(whole.Length, 65, 256);

        Assert.Equal(HttpStatusCode.NoContent, (await ChangeAsync(page, Old, whole)).Status);

        Assert.Equal("login_failed", (await PastFailureTime.RunAsync(_time, page.LogInAsync("alice", whole.Trim()[1..]))).Code);
        Assert.Equal("alice", (await page.LogInAsync("alice", whole)).Text("user"));
    }

    [Fact]
    [Requirement("SEC-33")]
    public async Task GuestAndAccountOfAProvider_HaveNoPassword()
    {
        await using var provider = await OpenIdProvider.StartAsync();
        using var app = new WwsfApp().With(provider);
        var browser = await Browser.OpenAsync(app);
        Assert.Equal("/", await browser.LogInAsync());

        foreach (var page in new[] { browser.Page, await app.OpenPageAsGuestAsync() })
            Assert.Equal("no_password", (await ChangeAsync(page, Old, New)).Code);
        Assert.Equal("not_signed_in", (await ChangeAsync(await app.OpenPageAsync(), Old, New)).Code);
    }

    [Fact]
    public async Task IncompleteRequest_AndOneOfAnotherSite_AreRefused()
    {
        using var app = NewApp();
        var page = await app.OpenPageAsAliceAsync();
        foreach (var (current, next) in new[] { ("", New), (Old, ""), (Old, new string('x', 1025)), (new string('x', 1025), New) })
            Assert.Equal("invalid_request", (await ChangeAsync(page, current, next)).Code);

        page.AntiforgeryToken = "";
        Assert.Equal("antiforgery", (await ChangeAsync(page, Old, New)).Code);
    }

    [Fact]
    [Requirement("SEC-28")]
    public async Task Change_IsAudited_AndNoPasswordIsLogged()
    {
        using var app = NewApp().WithAllLogs();
        var page = await app.OpenPageAsAliceAsync();
        await PastFailureTime.RunAsync(_time, ChangeAsync(page, "a wrong password", New));
        await ChangeAsync(page, Old, New);

        Assert.Single(app.LogsWith("changed the password from 127.0.0.1"), record => record.Contains(nameof(AuditLog)));
        Assert.Single(app.LogsWith("A log-in by change of password from 127.0.0.1"), record => record.Contains("login_failed"));
        Assert.Empty(app.LogsWith(New));
        Assert.Empty(app.LogsWith(Old));
    }

    private WwsfApp NewApp() => new(waf: _waf, epCscf: _epCscf) { Time = _time };

    private static Task<Answer> ChangeAsync(Page page, string current, string next) =>
        page.SendAsync(HttpMethod.Post, "/api/password", new { current_password = current, new_password = next });

    private async Task<string> SidAsync(Page page)
    {
        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
        return _waf.Requests[^1].Form["sid"];
    }
}
