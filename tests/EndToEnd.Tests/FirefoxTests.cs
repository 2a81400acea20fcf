using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>The page in Debian's Firefox: by itself, and with Chromium on the other side in both directions.</summary>
[Collection(RunningSystem.Collection)]
public sealed class FirefoxTests(RunningSystem system, FirefoxTests.OneFirefox browser) : IClassFixture<FirefoxTests.OneFirefox>
{
    // A page renews after 80 % of the time that it is told. The token itself lives longer.
    private const string ShortToken =
        """
        () => {
          const send = window.fetch;
          window.fetch = async (...all) => {
            const answer = await send(...all);
            if (!answer.ok || !answer.url.endsWith('/api/turn-token')) return answer;
            return Response.json({ ...await answer.json(), expires_in: 10 }, answer);
          };
        }
        """;

    private const string HasPicture = "() => find('far-video').videoWidth > 0";

    [Fact]
    public async Task TestCall_IsRelayed_AndItsLadderIsShown()
    {
        await using var guest = await OpenGuestAsync();
        await guest.ClickAsync("call");
        await ExpectRelayedMediaAsync(guest);

        // The last step comes with the spans of the TURN server.
        await guest.EvaluateAsync("() => { find('what-happened').open = true; }");
        await guest.UntilAsync("step => !!find('what-happened-ladder').querySelector(step)", $"{FlowViewPage.Step}[data-step='8']");
        await guest.ClickAsync("hang-up");
        await guest.ExpectPhaseAsync("ended");
    }

    [Fact]
    public async Task FirefoxCallsChromium_SoundAndPictureFlowBothWays_AlsoAfterARenewal()
    {
        await using var guest = await OpenGuestAsync(ShortToken);
        await using var alice = await system.Chromium.OpenAsync(system.PageAddress);
        await alice.LogInAsync(DemoUser.Name, DemoUser.Password);
        await alice.WaitUntilOnlineAsync();
        await guest.ClickAsync("with-video");

        await guest.FillAsync("to", "alice");
        await guest.ClickAsync("call");
        await alice.ExpectTextAsync("caller", await guest.TextAsync("own-name"));
        await alice.Get("accept-video").ClickAsync();
        await ExpectCallAsync(guest, alice);
        await guest.UntilAsync(HasPicture);
        await alice.Page.WaitForFunctionAsync("() => document.querySelector('[data-testid=far-video]').videoWidth > 0");

        await guest.ExpectTextAsync("renewals", "renewed once");
        await alice.ExpectRisingMediaAsync();

        await guest.ClickAsync("hang-up");
        await alice.ExpectIdleAsync();
    }

    [Fact]
    public async Task ChromiumCallsFirefox_SoundFlowsBothWays_AndHoldIsUnderstood()
    {
        await using var guest = await OpenGuestAsync();
        await using var alice = await system.Chromium.OpenAsync(system.PageAddress);
        await alice.LogInAsync(DemoUser.Name, DemoUser.Password);
        await alice.WaitUntilOnlineAsync();

        await alice.DialAsync(await guest.TextAsync("own-impu"));
        await guest.ExpectTextAsync("caller", "Alice");
        await guest.ClickAsync("accept");
        await ExpectCallAsync(guest, alice);

        await alice.Get("hold").ClickAsync();
        await alice.ExpectTextAsync("status", "On hold");
        await guest.ExpectTextAsync("status", "hold");
        await alice.HangUpAsync();
        await guest.ExpectPhaseAsync("ended");
    }

    private async Task<FirefoxPage> OpenGuestAsync(string? script = null)
    {
        var guest = await browser.Firefox.OpenAsync(system.PageAddress, script);
        await guest.ContinueAsGuestAsync();
        return guest;
    }

    private static async Task ExpectCallAsync(FirefoxPage firefox, WicPage chromium)
    {
        await chromium.ExpectInCallAsync();
        await chromium.WaitForMediaAsync();
        await chromium.ExpectRisingMediaAsync();
        await ExpectRelayedMediaAsync(firefox);
    }

    private static async Task ExpectRelayedMediaAsync(FirefoxPage page)
    {
        await page.ExpectPhaseAsync("inCall");
        await page.UntilAsync(
            "() => ['sent', 'received'].every(way => Number(find(`packets-${way}`).textContent.replace(/\\D/g, '')) > 100)");
        Assert.Equal("relay", await page.TextAsync("local-candidate-type"));
        Assert.Equal("relay", await page.TextAsync("remote-candidate-type"));
        for (var step = 1; step <= 8; step++)
            Assert.Equal("done", (string?)await page.EvaluateAsync("id => find(id).dataset.state", $"step-{step}"));
    }

    public sealed class OneFirefox : IAsyncLifetime
    {
        private Firefox? _firefox;

        public Firefox Firefox => _firefox ?? throw new InvalidOperationException("not started");

        public async ValueTask InitializeAsync() => _firefox = await Firefox.StartAsync();

        public async ValueTask DisposeAsync()
        {
            if (_firefox is not null) await _firefox.DisposeAsync();
        }
    }
}
