using System.Globalization;
using System.Text.RegularExpressions;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>The stage of the page: the story of a call, attempts to cheat, and parts that are stopped.</summary>
[Collection(RunningSystem.Collection)]
public sealed partial class StageTests(RunningSystem system)
{
    private const int Limit = 30_000;

    [Fact]
    public async Task Stage_OpensWithItsKey_AndReplaysTheRealStepsOfTheCall()
    {
        await using var wic = await OpenAsync();
        await wic.CallAsync();
        await wic.ExpectInCallAsync();
        await OpenStageAsync(wic);

        // The times of the steps are those that the page measured, and they add up to the total of the page.
        var shares = wic.Get("shares").Locator("li");
        await Expect(shares).ToHaveCountAsync(9);
        var times = (await wic.Get("shares").Locator(".share-time").AllInnerTextsAsync()).Select(Milliseconds).ToList();
        var total = Milliseconds(await wic.TextAsync("stage-total"));
        Assert.Equal(total, times.Sum(), 6);
        Assert.True(await wic.Page.EvaluateAsync<bool>(
            """
            ([fifth, total]) => {
              const value = text => {
                const [, number, unit] = /([\d.]+) (ms|s)/.exec(text);
                return Number(number) * (unit === 's' ? 1000 : 1);
              };
              const near = (one, other, by) => Math.abs(one - other) <= by;
              return near(value(document.querySelector('#step-5 .took').textContent), fifth, 1)
                && near(value(document.getElementById('total').textContent), total, total >= 1000 ? 60 : 1);
            }
            """, new[] { times[4], total }));

        // Step by step, and by the slider.
        await wic.Get("scrubber").PressAsync("Home");
        await Expect(wic.Get("stage-mode")).ToHaveAttributeAsync("data-beat", "1");
        for (var i = 0; i < 5; i++) await wic.Get("step-forward").ClickAsync();
        await Expect(wic.Get("beat-title")).ToHaveTextAsync("WAF makes key and token");
        await Expect(wic.Get("slow-motion")).ToHaveTextAsync(SlowMotion());
        await wic.Get("stage-words-plain").ClickAsync();
        await Expect(wic.Get("beat-title")).ToHaveTextAsync("The pass is sealed");
        await Expect(wic.Get("stage-headline"))
            .ToContainTextAsync("Your password never reaches the relay. A pass that lasts 10 minutes does.");
        await wic.Get("scrubber").PressAsync("End");
        await Expect(wic.Get("beat-title")).ToHaveTextAsync("The call is connected");
        await wic.Get("replay").ClickAsync();
        await Expect(wic.Get("stage-mode")).ToHaveAttributeAsync("data-beat", "3", new() { Timeout = Limit });

        await OpenEnvelopeAsync(wic);
        await ExpectNothingOfAxeAsync(wic);

        await wic.Page.Keyboard.PressAsync("Escape");
        await Expect(wic.Get("stage-mode")).ToBeHiddenAsync();
        await Expect(wic.Page.Locator("#step-5 .title")).ToHaveTextAsync("The pass is sealed");
        await wic.HangUpAsync();
        await wic.Page.ReloadAsync();
        await Expect(wic.Get("words-plain")).ToHaveAttributeAsync("aria-pressed", "true");
    }

    [Fact]
    [Requirement("RFC7635-7")]
    public async Task EachCheat_ShowsTheRefusalOfTheTurnServer_AndItsClause()
    {
        await using var wic = await OpenAsync();
        await OpenStageAsync(wic);
        await wic.Get("tool-cheat").ClickAsync();

        foreach (var cheat in new[] { "bit", "server", "key", "end" })
        {
            await wic.Get($"cheat-{cheat}").ClickAsync();
            await Expect(wic.Get("outcome")).ToHaveAttributeAsync("data-state", "answered", new() { Timeout = Limit });
            await Expect(wic.Get($"cheat-{cheat}")).ToHaveAttributeAsync("aria-pressed", "true");
            await Expect(wic.Get("said-cheat")).ToContainTextAsync("401");
            await Expect(wic.Get("clause")).ToContainTextAsync("RFC 7635 §");
            await Expect(wic.Get("refusal")).ToHaveTextAsync("401");
            if (cheat != "server") await Expect(wic.Get("said-honest")).ToContainTextAsync("200");
        }
    }

    [Fact]
    public async Task BrokenParts_AreRed_AndHealWithoutThePage()
    {
        string[] parts = ["turn", "waf", "ep-cscf", "redis"];
        await using var wic = await OpenAsync();
        await OpenStageAsync(wic);
        await wic.Get("tool-break").ClickAsync();
        foreach (var part in parts)
            await Expect(wic.Get($"part-{part}")).ToHaveAttributeAsync("data-health", "up", new() { Timeout = Limit });
        var starts = parts.ToDictionary(part => part, StartOf);
        try
        {
            foreach (var part in parts)
            {
                await wic.Get($"break-{part}").ClickAsync();
                await Expect(wic.Get($"part-{part}")).ToHaveAttributeAsync("data-health", "down", new() { Timeout = Limit });
                if (part is "turn" or "waf") await Expect(wic.Get($"place-{part}")).ToHaveAttributeAsync("data-health", "down");
            }
            await wic.Page.Keyboard.PressAsync("Escape");
        }
        finally
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            foreach (var part in parts)
            {
                await system.App.ResourceNotifications.WaitForResourceAsync(
                    part, now => now.Snapshot is { State.Text: "Running" } snapshot && snapshot.StartTimeStamp > starts[part],
                    limit.Token);
            }
            await system.UntilRecoveredAsync(parts);
        }

        await wic.Get("stage-open").ClickAsync();
        foreach (var part in parts)
            await Expect(wic.Get($"part-{part}")).ToHaveAttributeAsync("data-health", "up", new() { Timeout = 60_000 });
        await wic.Page.Keyboard.PressAsync("Escape");
        await wic.WaitUntilOnlineAsync();
        await wic.CallAsync();
        await wic.WaitForMediaAsync();
        await wic.HangUpAsync();
    }

    private DateTime? StartOf(string part) =>
        system.App.ResourceNotifications.TryGetCurrentState(part, out var now) ? now.Snapshot.StartTimeStamp : null;

    private static ILocatorAssertions Expect(ILocator locator) => Assertions.Expect(locator);

    private async Task<WicPage> OpenAsync()
    {
        var wic = await system.Chromium.OpenAsync(system.PageAddress, new() { ReducedMotion = ReducedMotion.NoPreference });
        await wic.ContinueAsGuestAsync();
        await wic.WaitUntilOnlineAsync();
        return wic;
    }

    private static async Task OpenStageAsync(WicPage wic)
    {
        await wic.Page.EvaluateAsync("() => document.activeElement.blur()");
        await wic.Page.Keyboard.PressAsync("s");
        await Expect(wic.Get("stage-mode")).ToBeVisibleAsync();
    }

    private static async Task OpenEnvelopeAsync(WicPage wic)
    {
        await wic.Get("place-wic").ClickAsync();
        await Expect(wic.Get("seal-state")).ToHaveTextAsync("Sealed");
        await Expect(wic.Get("facts")).ToContainTextAsync("76 octets");
        await wic.Get("place-turn").ClickAsync();
        await Expect(wic.Get("seal-state")).ToHaveTextAsync("Opened", new() { Timeout = Limit });
        await Expect(wic.Get("same-key")).ToContainTextAsync("The same key as in the browser");
        // What is shown is not the key.
        var token = Assert.Single(wic.Tokens, answer => answer.TryGetProperty("key", out _));
        var content = await wic.Page.ContentAsync();
        foreach (var secret in new[] { "key", "access_token" })
            Assert.DoesNotContain(token.GetProperty(secret).GetString()!, content, StringComparison.Ordinal);
        Assert.DoesNotContain(
            Convert.ToHexStringLower(token.GetProperty("key").GetBytesFromBase64())[..8], content, StringComparison.OrdinalIgnoreCase);
    }

    private static async Task ExpectNothingOfAxeAsync(WicPage wic)
    {
        string[] rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
        foreach (var scheme in new[] { ColorScheme.Light, ColorScheme.Dark })
        {
            await wic.Page.EmulateMediaAsync(new() { ColorScheme = scheme, ReducedMotion = ReducedMotion.Reduce });
            var result = await wic.Page.RunAxe(new AxeRunOptions { RunOnly = new RunOnlyOptions { Type = "tag", Values = [.. rules] } });
            Assert.True(result.Violations.Length == 0, string.Join('\n', result.Violations.Select(found =>
                $"{found.Id}: {found.Help} at {string.Join(", ", found.Nodes.Select(node => node.Html))}")));
        }
    }

    private static double Milliseconds(string text) => double.Parse(Number().Match(text).Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"[\d.]+")]
    private static partial Regex Number();

    [GeneratedRegex(@"^shown [\d,]+ × (slower|faster)$")]
    private static partial Regex SlowMotion();
}
