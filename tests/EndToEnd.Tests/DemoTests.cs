using Aspire.Hosting.ApplicationModel;
using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>
/// The beats of docs/demo.md in their order, with a screenshot of each. With <c>SCREENSHOTS</c>, a folder, they are made in light and dark
/// and also in the size of a phone.
/// </summary>
[Collection(RunningSystem.Collection)]
public sealed class DemoTests(RunningSystem system)
{
    private static readonly string? Folder = Environment.GetEnvironmentVariable("SCREENSHOTS");

    public static TheoryData<string, ColorScheme, int, int> Looks()
    {
        var looks = new TheoryData<string, ColorScheme, int, int> { { "light", ColorScheme.Light, 1280, 720 } };
        if (Folder is null) return looks;
        looks.Add("dark", ColorScheme.Dark, 1280, 720);
        looks.Add("phone-light", ColorScheme.Light, 390, 844);
        looks.Add("phone-dark", ColorScheme.Dark, 390, 844);
        return looks;
    }

    [Theory]
    [MemberData(nameof(Looks))]
    public async Task Beats_WorkInTheirOrder(string look, ColorScheme scheme, int width, int height)
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress, new()
        {
            ColorScheme = scheme,
            ReducedMotion = ReducedMotion.Reduce,
            ViewportSize = new() { Width = width, Height = height },
        });
        await wic.ContinueAsGuestAsync();
        await wic.WaitUntilOnlineAsync();
        await KeepAsync(wic, look, "guest");

        await wic.Get("invite").Locator("summary").ClickAsync();
        await wic.Get("invite-link").ScrollIntoViewIfNeededAsync();
        await KeepAsync(wic, look, "code");
        await wic.Get("invite").Locator("summary").ClickAsync();

        await wic.Get("with-video").CheckAsync();
        await wic.Get("demo-line").ClickAsync();
        await wic.ExpectInCallAsync();
        await wic.WaitForMediaAsync();
        await KeepAsync(wic, look, "demo-line");

        await wic.Page.EvaluateAsync("() => document.activeElement.blur()");
        await wic.Page.Keyboard.PressAsync("s");
        await wic.Get("stage-words-plain").ClickAsync();
        await wic.Get("scrubber").PressAsync("Home");
        for (var step = 0; step < 5; step++) await wic.Get("step-forward").ClickAsync();
        await wic.ExpectTextAsync("beat-title", "The pass is sealed");
        await KeepAsync(wic, look, "stage-sealed");

        await wic.Get("place-turn").ClickAsync();
        await wic.ExpectTextAsync("same-key", "The same key as in the browser", seconds: 30);
        await KeepAsync(wic, look, "stage-envelope");

        await wic.Get("tool-cheat").ClickAsync();
        await wic.Get("cheat-bit").ClickAsync();
        await wic.ExpectTextAsync("said-cheat", "401", seconds: 30);
        await KeepAsync(wic, look, "stage-cheat");

        await BreakAsync(wic, look);
        await wic.ExpectTextAsync("status", "In call", seconds: 60);
        await KeepAsync(wic, look, "stage-healed");
        await wic.HangUpAsync();
    }

    // The call goes on when TURN is back. The next test needs a TURN server, also if this one fails.
    private async Task BreakAsync(WicPage wic, string look)
    {
        await wic.Get("tool-break").ClickAsync();
        await Assertions.Expect(wic.Get("place-turn")).ToHaveAttributeAsync("data-health", "up", new() { Timeout = 30_000 });
        var before = StartOfTurn();
        try
        {
            await wic.Get("break-turn").ClickAsync();
            await Assertions.Expect(wic.Get("place-turn")).ToHaveAttributeAsync("data-health", "down", new() { Timeout = 30_000 });
            await KeepAsync(wic, look, "stage-break");
            await wic.Page.Keyboard.PressAsync("Escape");
            await Assertions.Expect(wic.Get("give-up")).ToContainTextAsync("ends in", new() { Timeout = 30_000 });
            await KeepAsync(wic, look, "interrupted");
            // The alert leaves the countdown in view.
            await wic.Page.WaitForFunctionAsync(
                """
                () => {
                  const [countdown, alert] = ['#give-up', '.alert'].map(name => document.querySelector(name).getBoundingClientRect());
                  return countdown.height === 0 || countdown.bottom <= alert.top || countdown.top >= alert.bottom;
                }
                """);
        }
        finally
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            await system.App.ResourceNotifications.WaitForResourceAsync(
                "turn", now => now.Snapshot.State?.Text == KnownResourceStates.Running && now.Snapshot.StartTimeStamp > before, limit.Token);
            await system.UntilHealthyAsync("turn", limit.Token);
        }
    }

    private DateTime? StartOfTurn() =>
        system.App.ResourceNotifications.TryGetCurrentState("turn", out var now) ? now.Snapshot.StartTimeStamp : null;

    private static Task<byte[]> KeepAsync(WicPage wic, string look, string beat) => wic.Page.ScreenshotAsync(
        new() { Path = Path.Combine(Path.GetFullPath(Folder ?? "screenshots", AppContext.BaseDirectory), $"{beat}-{look}.png") });
}
