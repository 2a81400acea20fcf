using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>
/// Checks WCAG 2.2 AA with axe in each state of the page. A screenshot of each state goes to the output folder of the tests, or to the
/// folder <c>SCREENSHOTS</c>.
/// </summary>
[Collection(RunningSystem.Collection)]
public sealed class AccessibilityTests(RunningSystem system)
{
    private static readonly string[] Rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

    public static TheoryData<string, ColorScheme, int> Looks => new()
    {
        { "light", ColorScheme.Light, 1280 },
        { "dark", ColorScheme.Dark, 1280 },
        { "phone", ColorScheme.Light, 390 },
    };

    [Theory]
    [MemberData(nameof(Looks))]
    public async Task EveryState_HasNothingThatAxeFinds(string look, ColorScheme scheme, int width)
    {
        var options = () =>
            new BrowserNewContextOptions
            {
                ColorScheme = scheme,
                ReducedMotion = ReducedMotion.Reduce,
                ViewportSize = new() { Width = width, Height = 900 }
            };
        await using var guest = await system.Chromium.OpenAsync(system.PageAddress, options());
        await guest.Get("guest").WaitForAsync();
        await ExpectNothingAsync(guest, look, "entry");
        await guest.ContinueAsGuestAsync();
        await guest.WaitUntilOnlineAsync();

        await using var alice = await system.Chromium.OpenAsync(system.PageAddress, options());
        await alice.LogInAsync(DemoUser.Name, DemoUser.Password);
        await alice.WaitUntilOnlineAsync();
        await guest.Get("sip:alice@webrtcims.local").WaitForAsync();
        await ExpectNothingAsync(guest, look, "idle");
        await guest.Page.Locator("#devices > summary").ClickAsync();
        await guest.Get("try-microphone").ClickAsync();
        await guest.Get("try-camera").ClickAsync();
        await guest.Page.WaitForFunctionAsync("() => document.querySelector('[data-testid=camera-preview]').videoWidth > 0");
        await ExpectNothingAsync(guest, look, "devices");
        await guest.Page.Locator("#devices > summary").ClickAsync();

        await guest.DialAsync("nobody");
        await guest.ExpectAlertAsync("Nobody has this address");
        await ExpectNothingAsync(guest, look, "error");

        foreach (var wic in new[] { guest, alice }) await wic.Get("with-video").CheckAsync();
        await guest.DialAsync("alice");
        await alice.Get("accept").WaitForAsync();
        await ExpectNothingAsync(alice, look, "incoming");
        await alice.Get("accept").ClickAsync();
        await guest.ExpectInCallAsync();
        await guest.WaitForMediaAsync();
        await guest.Get("keys").ClickAsync();
        await ExpectNothingAsync(guest, look, "in-call");
        Assert.False(await guest.Page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth > innerWidth"));
        await guest.Get("transfer").ClickAsync();
        await ExpectNothingAsync(guest, look, "transfer");
        await guest.HangUpAsync();
        await guest.ExpectIdleAsync();
        await guest.Get("invite").Locator("summary").ClickAsync();
        await ExpectNothingAsync(guest, look, "after-call");

        await guest.Get("demo-line").ClickAsync();
        await guest.ExpectInCallAsync();
        await guest.WaitForMediaAsync();
        await ExpectNothingAsync(guest, look, "demo-line");
        Assert.False(await guest.Page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth > innerWidth"));
        await guest.HangUpAsync();
    }

    private static async Task ExpectNothingAsync(WicPage wic, string look, string state)
    {
        var folder = Path.GetFullPath(Environment.GetEnvironmentVariable("SCREENSHOTS") ?? "screenshots", AppContext.BaseDirectory);
        // The screenshot of a phone shows only its viewport.
        await wic.Page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"{look}-{state}.png"), FullPage = look != "phone" });
        var result = await wic.Page.RunAxe(new AxeRunOptions { RunOnly = new RunOnlyOptions { Type = "tag", Values = [.. Rules] } });
        Assert.True(
            result.Violations.Length == 0,
            string.Join(
                '\n', result.Violations.Select(found =>
                    $"{found.Id}: {found.Help} at {string.Join(", ", found.Nodes.Select(node => node.Html))}")));
    }
}
