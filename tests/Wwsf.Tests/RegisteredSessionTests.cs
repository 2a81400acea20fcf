using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>The requests of the WWSF to the eP-CSCF, and how it continues without a response.</summary>
public sealed class RegisteredSessionTests
{
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());

    [Fact]
    public async Task Session_SaysWhetherItIsRegistered()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        await using var epCscf = await ScriptedEpCscf.StartAsync();
        using var app = new WwsfApp(waf: waf, epCscf: epCscf);
        var page = await app.OpenPageAsGuestAsync();
        await page.ImsTokenAsync();
        Assert.False((await page.LoadAsync()).Json.GetProperty("registered").GetBoolean());

        epCscf.Registered[waf.Requests[0].Form["sid"]] = true;
        Assert.True((await page.LoadAsync()).Json.GetProperty("registered").GetBoolean());
        Assert.False((await (await app.OpenPageAsGuestAsync()).LoadAsync()).Json.GetProperty("registered").GetBoolean());
    }

    [Fact]
    [Requirement("TS33203-X.5.3.2-NOTE1")]
    public async Task LoginTooOldButRegistered_TokensWithoutANewLogin()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        await using var epCscf = await ScriptedEpCscf.StartAsync();
        using var app = new WwsfApp(waf: waf, epCscf: epCscf) { Time = _time }.With("Wwsf:SessionLifetime", "01:00:00");
        var page = await LoggedInAsync(app);
        var sid = await SidAsync(page, waf);
        epCscf.Registered[sid] = true;
        epCscf.Requests.Clear();
        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
        Assert.Empty(epCscf.Requests);

        _time.Advance(TimeSpan.FromMinutes(61));
        var trace = ActivityTraceId.CreateRandom();
        var answer = await page.TraceAsync("/api/turn-token", trace);
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        Assert.Equal(true, app.SpansOf(trace).Single(span => span.GetTagItem("ims.step") is 3).GetTagItem("wwsf.authentication.skipped"));
        Assert.Equal(HttpStatusCode.OK, (await page.ImsTokenAsync()).Status);

        epCscf.Registered.Clear();
        Assert.Equal("session_expired", (await page.TurnTokenAsync()).Code);
    }

    [Fact]
    [Requirement("TS33203-X.5.3.2-NOTE1")]
    public async Task RegisteredForEver_TheUserIsAskedAgainAfterTwiceTheLifetime()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        await using var epCscf = await ScriptedEpCscf.StartAsync();
        using var app = new WwsfApp(waf: waf, epCscf: epCscf) { Time = _time }.With("Wwsf:SessionLifetime", "01:00:00");
        var page = await LoggedInAsync(app);
        epCscf.Registered[await SidAsync(page, waf)] = true;

        _time.Advance(TimeSpan.FromMinutes(121));
        Assert.Equal("session_expired", (await page.TurnTokenAsync()).Code);
    }

    [Fact]
    public async Task SignOut_EndsTheRegistrationAndASignedOutSessionIsNeverProlonged()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        await using var epCscf = await ScriptedEpCscf.StartAsync();
        using var app = new WwsfApp(waf: waf, epCscf: epCscf) { Time = _time }.With("Wwsf:SessionLifetime", "01:00:00");
        var page = await LoggedInAsync(app);
        var sid = await SidAsync(page, waf);
        epCscf.Registered[sid] = true;
        var stolen = page.Cookies[Page.SessionCookie];
        Assert.Equal(HttpStatusCode.OK, (await page.SignOutAsync()).Status);

        Assert.Contains(("end", sid), epCscf.Requests);
        page.Cookies[Page.SessionCookie] = stolen;
        epCscf.Registered[sid] = true;
        _time.Advance(TimeSpan.FromMinutes(61));
        Assert.Equal("session_expired", (await page.TurnTokenAsync()).Code);
    }

    [Theory]
    [InlineData("down")]
    [InlineData("hangs")]
    [InlineData("fails")]
    [InlineData("talks nonsense")]
    public async Task EpCscfDoesNotAnswer_PagesAndSignOutGoOn(string how)
    {
        await using var waf = await ScriptedWaf.StartAsync();
        await using var epCscf = await ScriptedEpCscf.StartAsync();
        epCscf.Trouble = async context =>
        {
            if (how == "hangs")
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            context.Response.StatusCode = how == "fails" ? 500 : 200;
            var isFind = context.Request.Path.Value!.EndsWith("find", StringComparison.Ordinal);
            await context.Response.WriteAsync(how == "talks nonsense" && isFind ? "<html>" : "");
            return true;
        };
        using var app = new WwsfApp(waf: waf, epCscf: how == "down" ? null : epCscf) { Time = _time };
        var page = await LoggedInAsync(app);
        var loaded = await page.LoadAsync().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        var signedOut = await page.SignOutAsync().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        Assert.Equal("alice", loaded.Text("user"));
        Assert.False(loaded.Json.GetProperty("registered").GetBoolean());
        Assert.Equal(HttpStatusCode.OK, signedOut.Status);
        Assert.DoesNotContain(Page.SessionCookie, page.Cookies.Keys);
        Assert.NotEmpty(app.LogsWith("Warning WebRtcIms.Wwsf.Ims.Registrations"));
    }

    [Fact]
    [Requirement("SEC-14")]
    public async Task KeyThatTheEpCscfDoesNotHave_IsLogged_AndTheGuestKeepsItsLease()
    {
        await using var waf = await ScriptedWaf.StartAsync();
        await using var epCscf = await ScriptedEpCscf.StartAsync();
        using var app = new WwsfApp(waf: waf, epCscf: epCscf).With("Wwsf:EpCscf:SessionsKey", new string('k', 32));
        var page = await LoggedInAsync(app);
        epCscf.Registered[await SidAsync(page, waf)] = true;

        Assert.False((await page.LoadAsync()).Json.GetProperty("registered").GetBoolean());
        Assert.Equal(HttpStatusCode.OK, (await page.SignOutAsync()).Status);
        Assert.Empty(epCscf.Requests);
        Assert.NotEmpty(app.LogsWith("HTTP 401"));
    }

    private static async Task<Page> LoggedInAsync(WwsfApp app)
    {
        var page = await app.OpenPageAsync();
        await page.LogInAsync("alice", "alice-calls-bob");
        return page;
    }

    private static async Task<string> SidAsync(Page page, ScriptedWaf waf)
    {
        Assert.Equal(HttpStatusCode.OK, (await page.ImsTokenAsync()).Status);
        return waf.Requests[^1].Form["sid"];
    }
}
