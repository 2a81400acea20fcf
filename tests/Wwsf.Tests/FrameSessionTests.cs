using System.Net;
using System.Text.Json;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>The demo line is a guest with a session of its own, in a frame of the page that calls it, with the same cookie jar.</summary>
public sealed class FrameSessionTests
{
    private const string FrameCookie = "wwsf-session-frame";

    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    [Requirement("TS33203-X.4")]
    public async Task FramesOfOnePage_HaveIdentitiesOfTheirOwn(Store store)
    {
        await using var system = await PoolSystem.StartAsync(store, size: 5);
        var guest = (await system.GuestsAsync(1))[0];
        var alice = await system.App.OpenPageAsync();
        await alice.LogInAsync("alice", "alice-calls-bob");
        Page[] pages = [guest, await OpenGuestAsync(guest), await OpenGuestAsync(guest), alice, await OpenGuestAsync(alice)];

        var impus = new List<string>();
        foreach (var page in pages) impus.Add((await page.ImsTokenAsync()).Text("impu")!);
        Assert.Equal("sip:alice@webrtcims.local", impus[3]);
        Assert.Equal(5, impus.Distinct().Count());
        foreach (var impu in impus.Where(impu => impu != impus[3])) Assert.StartsWith("sip:guest-", impu);
        Assert.Equal(5, system.Waf.Requests.Select(request => request.Form["sid"]).Distinct().Count());

        Assert.Equal("alice", (await alice.LoadAsync()).Text("user"));
        Assert.True((await pages[4].LoadAsync()).Json.GetProperty("anonymous").GetBoolean());
        foreach (var page in pages) Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
    }

    [Fact]
    [Requirement("ABUSE-92")]
    public async Task Cookie_IsSentToTheFramesOwnPathOnly()
    {
        using var app = new WwsfApp();
        var frame = await (await app.OpenPageAsync()).OpenFrameAsync();
        foreach (var cookie in (await frame.ContinueAsGuestAsync()).SetCookies.Concat((await frame.SignOutAsync()).SetCookies))
        {
            Assert.StartsWith(FrameCookie + "=", cookie);
            Assert.Contains($"path={frame.Api};", cookie);
            Assert.Contains("samesite=strict", cookie);
            Assert.Contains("httponly", cookie);
        }
    }

    [Fact]
    [Requirement("ABUSE-92")]
    public async Task SessionOfThePage_IsNobodyInItsFrame_AndTheOtherWayRound()
    {
        using var app = new WwsfApp();
        var page = await app.OpenPageAsync();
        await page.LogInAsync("alice", "alice-calls-bob");
        var frame = await page.OpenFrameAsync();
        Assert.Equal(JsonValueKind.Null, (await frame.LoadAsync()).Json.GetProperty("anonymous").ValueKind);
        Assert.Equal("not_signed_in", (await frame.TurnTokenAsync()).Code);

        frame.Cookies[FrameCookie] = page.Cookies[Page.SessionCookie];
        await frame.LoadAsync();
        Assert.Equal("session_expired", (await frame.TurnTokenAsync()).Code);

        await frame.ContinueAsGuestAsync();
        page.Cookies[Page.SessionCookie] = frame.Cookies[FrameCookie];
        await page.LoadAsync();
        Assert.Equal("session_expired", (await page.TurnTokenAsync()).Code);
    }

    [Fact]
    public async Task FrameGoes_ItsRegistrationAndItsLeaseEnd_AndNothingOfThePage()
    {
        await using var system = await PoolSystem.StartAsync(Store.Memory, size: 2);
        var page = (await system.GuestsAsync(1))[0];
        var frame = await OpenGuestAsync(page);
        var impus = new[] { (await page.ImsTokenAsync()).Text("impu"), (await frame.ImsTokenAsync()).Text("impu") };
        var sid = system.Waf.Requests[1].Form["sid"];
        system.EpCscf.Registered[sid] = true;

        await frame.SignOutAsync();
        Assert.Equal(("end", sid), system.EpCscf.Requests.Last());
        Assert.Equal("not_signed_in", (await frame.ImsTokenAsync()).Code);
        Assert.Equal(impus[0], (await page.LoadAsync()).Text("impu"));

        system.Time.Advance(TimeSpan.FromMinutes(1.1));
        Assert.Equal(impus[1], (await (await OpenGuestAsync(page)).ImsTokenAsync()).Text("impu"));
    }

    [Fact]
    [Requirement("ABUSE-91")]
    public async Task Frames_CountAsGuestsOfTheirAddress()
    {
        await using var system = await PoolSystem.StartAsync(Store.Memory, size: 4);
        var page = (await system.GuestsAsync(1))[0];
        Page[] pages = [page, await OpenGuestAsync(page), await OpenGuestAsync(page)];
        foreach (var each in pages[..2]) Assert.Equal(HttpStatusCode.OK, (await ImsTokenFromAfarAsync(each)).Status);

        Assert.Equal("too_many_guests", (await ImsTokenFromAfarAsync(pages[2])).Code);
    }

    [Fact]
    [Requirement("ABUSE-91")]
    public async Task BurstOfFrames_RateLimitedAsGuests()
    {
        using var app = new WwsfApp().With("Wwsf:Limits:AnonymousSessionsPerMinute", "2");
        var page = await app.OpenPageAsGuestAsync();

        Assert.Equal(HttpStatusCode.OK, (await (await page.OpenFrameAsync()).ContinueAsGuestAsync()).Status);
        Assert.Equal("rate_limited", (await (await page.OpenFrameAsync()).ContinueAsGuestAsync()).Code);
    }

    [Theory]
    [InlineData("/api/demo/no-such-frame/session/anonymous")]
    [InlineData("/api/demo/0b9c4a52-7e5e-4f2c-9a7d-3f3f6c1f0a11/session/login")]
    [InlineData("/api/demo/0b9c4a52-7e5e-4f2c-9a7d-3f3f6c1f0a11/session/external")]
    [InlineData("/api/demo/0b9c4a52-7e5e-4f2c-9a7d-3f3f6c1f0a11/session/external/callback")]
    [InlineData("/api/demo/0b9c4a52-7e5e-4f2c-9a7d-3f3f6c1f0a11/session/passkey/options")]
    [InlineData("/api/demo/0b9c4a52-7e5e-4f2c-9a7d-3f3f6c1f0a11/session/passkey")]
    [InlineData("/api/demo/0b9c4a52-7e5e-4f2c-9a7d-3f3f6c1f0a11/passkeys/options")]
    [InlineData("/api/demo/0b9c4a52-7e5e-4f2c-9a7d-3f3f6c1f0a11/passkeys")]
    public async Task NothingButAGuest_IsThereForFrames(string path)
    {
        using var app = new WwsfApp();
        Assert.Equal(HttpStatusCode.NotFound, (await (await app.OpenPageAsync()).SendAsync(HttpMethod.Post, path)).Status);
    }

    [Fact]
    [Requirement("ABUSE-92")]
    public async Task WithoutAntiforgeryToken_Refused()
    {
        using var app = new WwsfApp();
        var frame = await (await app.OpenPageAsync()).OpenFrameAsync();
        frame.AntiforgeryToken = "";
        Assert.Equal("antiforgery", (await frame.ContinueAsGuestAsync()).Code);
        Assert.DoesNotContain(FrameCookie, frame.Cookies.Keys);
    }

    private static async Task<Page> OpenGuestAsync(Page page)
    {
        var frame = await page.OpenFrameAsync();
        await frame.ContinueAsGuestAsync();
        return frame;
    }

    private static Task<Answer> ImsTokenFromAfarAsync(Page page) =>
        page.SendAsync(HttpMethod.Post, page.Api + "/ims-token", null, ("X-Forwarded-For", "192.0.2.7"));
}
