using System.Diagnostics;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>The page explains each failure in a sentence, and recovers without a reload when the failed part is back.</summary>
[Collection(RunningSystem.Collection)]
public sealed class FailureTests(RunningSystem system)
{
    [Fact]
    public async Task WrongPassword_IsShownAndTheRightOneIsAccepted()
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await wic.LogInAsync(DemoUser.Name, "not the password");
        await wic.ExpectAlertAsync("password is wrong");

        await wic.LogInAsync(DemoUser.Name, DemoUser.Password);
        await wic.Get("call").WaitForAsync();
    }

    [Fact]
    public async Task BrowserWithoutWebRtc_IsNamedAtOnce_AndWhenItCalls()
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress, script: "delete window.RTCPeerConnection");
        await wic.ExpectAlertAsync("This browser cannot make calls");
        await wic.ContinueAsGuestAsync();
        await wic.CallAsync();
        await wic.ExpectAlertAsync("This browser cannot make calls");
    }

    [Fact]
    [Requirement("NET-18")]
    public async Task BrowserThatIsTooOld_IsSentToANewerOne()
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress, script: "delete AbortSignal.any");
        await wic.ExpectTextAsync("too-old", "This browser is too old for this page. Use Chrome 124");
        await using var other = await system.Chromium.OpenAsync(system.PageAddress);
        await other.Get("guest").WaitForAsync();
        Assert.True(await other.Get("too-old").IsHiddenAsync());
    }

    [Theory]
    [InlineData("401 Unauthorized", "did not register this page")]
    [InlineData("500 Server Internal Error", "did not register this page")]
    [InlineData("503 Service Unavailable", "has too much to do")]
    public async Task RegisterThatIsRefusedAgainAndAgain_IsShown_AndThePageGoesOnlineWhenItIsAccepted(string answer, string text)
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress);
        var isAccepted = false;
        await wic.Page.RouteWebSocketAsync("**/sip", page =>
        {
            var server = page.ConnectToServer();
            page.OnMessage(message =>
            {
                if (isAccepted || !message.Text!.StartsWith("REGISTER", StringComparison.Ordinal)) server.Send(message.Text!);
                else page.Send(Refuse(message.Text, answer));
            });
        });
        await wic.ContinueAsGuestAsync();
        await wic.ExpectTextAsync("online-problem", text);
        isAccepted = true;
        await wic.WaitUntilOnlineAsync();
        Assert.True(await wic.Get("online-problem").IsHiddenAsync());
    }

    [Fact]
    public async Task SessionNoLongerValid_PageAsksToSignInAgainAndGoesOn()
    {
        await using var wic = await OpenAsGuestAsync();
        var context = wic.Page.Context;
        foreach (var cookie in await context.CookiesAsync())
        {
            if (!cookie.HttpOnly) continue;
            await context.AddCookiesAsync(
                [new() { Name = cookie.Name, Value = "expired", Domain = cookie.Domain, Path = cookie.Path, HttpOnly = true }]);
        }

        await wic.CallAsync();
        await wic.ExpectAlertAsync("session has ended");
        await wic.ContinueAsGuestAsync();
        await wic.WaitForMediaAsync();
        await wic.HangUpAsync();
    }

    [Fact]
    public async Task WafDown_PageShowsItAndRecovers()
    {
        await using var wic = await OpenAsGuestAsync();
        await using (await system.WithoutAsync("waf"))
        {
            await wic.CallAsync();
            await wic.ExpectAlertAsync("authorization server does not answer");
        }

        await RetryUntilMediaAsync(wic);
    }

    [Fact]
    public async Task TurnDown_PageShowsItAndRecovers()
    {
        await using var wic = await OpenAsGuestAsync();
        await using (await system.WithoutAsync("turn"))
        {
            await wic.CallAsync();
            await wic.ExpectAlertAsync("TURN server does not answer");
        }

        await RetryUntilMediaAsync(wic);
    }

    [Fact]
    public async Task WwsfDown_PageShowsItAndRecovers()
    {
        await using var wic = await OpenAsGuestAsync();
        await using (await system.WithoutAsync("wwsf"))
        {
            await wic.CallAsync();
            await wic.ExpectAlertAsync("web service does not answer");
        }

        await RetryUntilMediaAsync(wic);
    }

    [Fact]
    public async Task RedisDown_CallsStillWorkAndHealthIsDegraded()
    {
        await using var wic = await OpenAsGuestAsync();
        await using (await system.WithoutAsync("redis"))
        {
            var watch = Stopwatch.StartNew();
            await wic.CallAsync();
            await wic.WaitForMediaAsync();
            await wic.HangUpAsync();
            Assert.True(watch.Elapsed < TimeSpan.FromSeconds(30), $"the call took {watch.Elapsed}");
            Assert.Equal("Degraded", await system.HealthOfAsync("turn"));
            Assert.Equal("Degraded", await system.HealthOfAsync("waf"));
        }
    }

    private static string Refuse(string request, string answer)
    {
        string[] copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
        var lines = request.Split("\r\n").Where(line => copied.Any(name => line.StartsWith(name, StringComparison.Ordinal)))
            .Select(line => line.StartsWith("To:", StringComparison.Ordinal) ? $"{line};tag=1" : line);
        return $"SIP/2.0 {answer}\r\n{string.Join("\r\n", lines)}\r\nContent-Length: 0\r\n\r\n";
    }

    private async Task<WicPage> OpenAsGuestAsync()
    {
        var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await wic.ContinueAsGuestAsync();
        await wic.Get("call").WaitForAsync();
        return wic;
    }

    private static async Task RetryUntilMediaAsync(WicPage wic)
    {
        await wic.Get("retry").ClickAsync();
        await wic.WaitForMediaAsync();
        await wic.HangUpAsync();
    }
}
