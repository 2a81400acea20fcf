using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>Every page uses the language of the browser. The longer German texts fit on the smallest phone.</summary>
[Collection(RunningSystem.Collection)]
public sealed class LanguageTests(RunningSystem system)
{
    private static readonly BrowserNewContextOptions German = new()
    {
        Locale = "de-DE",
        ReducedMotion = ReducedMotion.Reduce,
        ViewportSize = new() { Width = 360, Height = 800 },
    };

    [Fact]
    public async Task GermanBrowser_ShowsEveryPageInGerman()
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress, German);
        await wic.ExpectTextAsync("guest", "Als Gast fortfahren");
        await ExpectGermanAsync(wic, "entry");
        await wic.ContinueAsGuestAsync();
        await wic.WaitUntilOnlineAsync();
        await wic.DialAsync("nobody");
        await wic.ExpectAlertAsync("Niemand hat diese Adresse");
        await ExpectGermanAsync(wic, "error");

        await wic.Get("demo-line").ClickAsync();
        await wic.ExpectInCallAsync();
        await wic.ExpectTextAsync("status", "Im Gespräch, über TURN · Demo-Anschluss");
        await Assertions.Expect(wic.Page.FrameLocator("[data-testid=demo-frame]").GetByTestId("demo-status"))
            .ToHaveTextAsync("Im Gespräch, über TURN");
        await wic.WaitForMediaAsync();
        await ExpectGermanAsync(wic, "in-call");
        var traceId = await wic.TextAsync("trace-id");
        await wic.HangUpAsync();

        await using var flowView = await system.Chromium.OpenAsync(new Uri(system.PageAddress, "flow/#/calls?kind=demo_line"), German);
        await Assertions.Expect(flowView.Page.Locator("td.what").First).ToContainTextAsync("Anruf beim Demo-Anschluss");
        await ExpectGermanAsync(flowView, "calls");
        await flowView.Page.GotoAsync(new Uri(system.PageAddress, $"flow/#/calls/{traceId}").ToString());
        await Assertions.Expect(flowView.Page.Locator(FlowViewPage.Step).First)
            .ToHaveAttributeAsync("aria-label", new System.Text.RegularExpressions.Regex("^Schritt "));
        await ExpectGermanAsync(flowView, "call");
        await flowView.Page.GotoAsync(new Uri(system.PageAddress, "flow/#/calls/0").ToString());
        await flowView.ExpectTextAsync("problem", "Der Trace ist nicht hier.");
    }

    private static async Task ExpectGermanAsync(WicPage page, string state)
    {
        await page.Page.ScreenshotAsync(
            new() { Path = Path.Combine(AppContext.BaseDirectory, "screenshots", $"german-{state}.png"), FullPage = true });
        Assert.Equal("de", await page.Page.EvaluateAsync<string>("() => document.documentElement.lang"));
        Assert.False(
            await page.Page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth > innerWidth"),
                $"{state}: the page scrolls sideways.");
        Assert.Empty((await page.Page.RunAxe()).Violations);
    }
}
