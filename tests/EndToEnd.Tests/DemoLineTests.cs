using System.Text.RegularExpressions;
using Aspire.Hosting.Testing;
using Microsoft.Playwright;
using StackExchange.Redis;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>Calls of a single user to the demo line: a second page in a frame, which is its own guest and answers automatically.</summary>
[Collection(RunningSystem.Collection)]
public sealed class DemoLineTests(RunningSystem system)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("TS33203-X.4")]
    public async Task DemoLine_AnswersAsAGuestOfItsOwn_AndIsGoneAfterTheCall(bool isLoggedIn)
    {
        await using var wic = await OpenAsync(isLoggedIn);
        var own = await wic.TextAsync("own-impu");
        await wic.Get("with-video").CheckAsync();
        await wic.Get("demo-line").ClickAsync();

        await wic.ExpectInCallAsync();
        var demo = wic.Page.FrameLocator("[data-testid=demo-frame]");
        var impu = await demo.GetByTestId("demo-impu").InnerTextAsync();
        Assert.Matches(new Regex(@"^sip:guest-\d+@webrtcims\.local$"), impu);
        Assert.NotEqual(own, impu);
        await wic.ExpectTextAsync("status", await demo.GetByTestId("demo-name").InnerTextAsync());
        await Assertions.Expect(demo.GetByTestId("demo-status")).ToContainTextAsync("In call");

        await wic.WaitForMediaAsync();
        Assert.Equal("relay", await wic.TextAsync("local-candidate-type"));
        Assert.Equal("relay", await wic.TextAsync("remote-candidate-type"));
        await wic.Page.WaitForFunctionAsync("() => document.querySelector('[data-testid=far-video]').videoWidth > 0");
        await wic.ExpectRisingMediaAsync();
        foreach (var count in new[] { "demo-sent", "demo-received" })
        {
            var before = await demo.GetByTestId(count).InnerTextAsync();
            await Assertions.Expect(demo.GetByTestId(count)).Not.ToHaveTextAsync(before);
        }
        await Sound.ListenAsync(wic.Page);
        await Sound.WaitForToneAsync(wic.Page, 440);
        Assert.Equal(own, await wic.TextAsync("own-impu"));

        await wic.HangUpAsync();
        await wic.ExpectIdleAsync();
        await Assertions.Expect(wic.Get("demo-frame")).ToHaveCountAsync(0);
        await ExpectGivenBackAsync(impu);
        await Assertions.Expect(wic.Get(impu)).ToHaveCountAsync(0, new() { Timeout = 10_000 });
        Assert.Equal(own, await wic.WaitUntilOnlineAsync());
    }

    [Fact]
    public async Task TwoTabs_EachHasADemoLineOfItsOwn()
    {
        await using var one = await OpenAsync(isLoggedIn: false);
        var other = new WicPage(await one.Page.Context.NewPageAsync());
        await other.Page.GotoAsync(system.PageAddress.ToString());
        await other.WaitUntilOnlineAsync();
        foreach (var wic in new[] { one, other })
        {
            await wic.Get("demo-line").ClickAsync();
            await wic.ExpectInCallAsync();
            await wic.WaitForMediaAsync();
        }
        Assert.NotEqual(await ImpuAsync(one), await ImpuAsync(other));

        await one.HangUpAsync();
        await one.ExpectIdleAsync();
        await Assertions.Expect(one.Get("demo-frame")).ToHaveCountAsync(0);
        await other.ExpectRisingMediaAsync();
        await other.HangUpAsync();
    }

    [Fact]
    public async Task PageClosedInTheCall_TheIdentityIsGivenBack()
    {
        await using var wic = await OpenAsync(isLoggedIn: true);
        await wic.Get("demo-line").ClickAsync();
        await wic.ExpectInCallAsync();
        var impu = await ImpuAsync(wic);

        await wic.Page.GotoAsync("about:blank");
        await ExpectGivenBackAsync(impu);
    }

    [Fact]
    public async Task SomebodyElse_FindsTheDemoLineBusy()
    {
        await using var wic = await OpenAsync(isLoggedIn: true);
        await using var stranger = await OpenAsync(isLoggedIn: false);
        await wic.Get("demo-line").ClickAsync();
        await wic.ExpectInCallAsync();

        await stranger.DialAsync(await ImpuAsync(wic));
        await stranger.ExpectAlertAsync("Busy");
        await wic.ExpectRisingMediaAsync();
        await wic.HangUpAsync();
    }

    private async Task<WicPage> OpenAsync(bool isLoggedIn)
    {
        var wic = await system.Chromium.OpenAsync(system.PageAddress);
        if (isLoggedIn) await wic.LogInAsync(DemoUser.Name, DemoUser.Password);
        else await wic.ContinueAsGuestAsync();
        await wic.WaitUntilOnlineAsync();
        return wic;
    }

    private static Task<string> ImpuAsync(WicPage wic) =>
        wic.Page.FrameLocator("[data-testid=demo-frame]").GetByTestId("demo-impu").InnerTextAsync();

    /// <summary>Waits for the quarantine of a lease. It begins only after the eP-CSCF has ended the session's registrations.</summary>
    private async Task ExpectGivenBackAsync(string impu)
    {
        var number = Regex.Match(impu, @"\d+").Value;
        await using var redis = await ConnectionMultiplexer.ConnectAsync((await system.App.GetConnectionStringAsync("redis"))!);
        for (var tries = 0; await redis.GetDatabase().StringGetAsync($"ims:lease:{{guest}}:{number}") != "quarantine"; tries++)
        {
            Assert.True(tries < 100, "the lease was not returned within ten seconds");
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }
    }
}
