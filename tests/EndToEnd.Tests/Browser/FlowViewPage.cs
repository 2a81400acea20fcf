using System.Text.RegularExpressions;
using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Setup;

namespace WebRtcIms.EndToEnd.Tests.Browser;

/// <summary>FlowView's page of one trace, reached through the gateway.</summary>
internal static class FlowViewPage
{
    /// <summary>A step of the figure, in the ladder.</summary>
    public const string Step = "svg.ladder .row[data-step]:not([data-step=''])";

    private static readonly TimeSpan Arrival = TimeSpan.FromSeconds(20);

    /// <summary>Opened again until it is there: spans take a moment to arrive.</summary>
    public static async Task<WicPage> OpenTraceAsync(this RunningSystem system, string traceId, string view = "ladder")
    {
        var page = await system.Chromium.OpenAsync(new Uri(system.PageAddress, $"flow/#/traces/{traceId}?view={view}"), new() { ViewportSize = new() { Width = 1600, Height = 1100 } });
        var shown = page.Page.Locator("svg.ladder, [data-testid=waterfall], [data-testid=problem]").First;
        await shown.WaitForAsync();
        using var limit = new CancellationTokenSource(Arrival);
        while (await page.Get("problem").CountAsync() > 0)
        {
            Assert.False(limit.IsCancellationRequested, $"The trace {traceId} did not arrive within {Arrival}.");
            await page.Page.ReloadAsync();
            await shown.WaitForAsync();
        }

        return page;
    }

    /// <summary>The ladder of a trace has one crossed arrow, from whom to whom, and says why.</summary>
    public static async Task ExpectFailureAsync(this RunningSystem system, string traceId, string step, string arrow, string reason)
    {
        await using var flowView = await system.OpenTraceAsync(traceId);
        var cause = flowView.Page.Locator("svg.ladder .row.cause");
        await Assertions.Expect(cause).ToHaveAttributeAsync("aria-label", new Regex($"{Regex.Escape(arrow)}.*failed: .*{Regex.Escape(reason)}"), new() { Timeout = 15_000 });
        await Assertions.Expect(cause).ToHaveAttributeAsync("data-step", step);
        await flowView.ExpectTextAsync("cause", reason);
        await flowView.KeepAsync($"ladder-{reason.Split(' ')[0]}-{step}");
    }

    /// <summary>A picture beside the tests, for people to look at; a ladder at its whole length.</summary>
    public static async Task KeepAsync(this WicPage page, string name)
    {
        await page.Page.EvaluateAsync("() => { for (const scroll of document.querySelectorAll('.ladder-scroll')) scroll.style.maxHeight = 'none'; }");
        await page.Page.ScreenshotAsync(new() { Path = Path.Combine(AppContext.BaseDirectory, "screenshots", $"{Regex.Replace(name, "[^a-zA-Z0-9-]", "-")}.png"), FullPage = true });
    }
}
