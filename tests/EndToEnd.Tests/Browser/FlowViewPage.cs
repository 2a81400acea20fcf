using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Setup;

namespace WebRtcIms.EndToEnd.Tests.Browser;

/// <summary>FlowView's pages, reached through the gateway.</summary>
internal static class FlowViewPage
{
    /// <summary>Selects a row of the ladder that is a step of the call flow.</summary>
    public const string Step = "svg.ladder .row[data-step]:not([data-step=''])";

    private static readonly TimeSpan Arrival = TimeSpan.FromSeconds(20);
    private static readonly LocatorAssertionsToContainTextOptions Patient = new() { Timeout = 30_000 };

    /// <summary>Opens the list of calls that match a search.</summary>
    public static Task<WicPage> OpenCallsAsync(this RunningSystem system, string search) =>
        system.Chromium.OpenAsync(new Uri(system.PageAddress, $"flow/#/calls?{search}"));

    /// <summary>
    /// Opens the ladder of a trace and waits until it is shown. Spans arrive with a delay, and the page then updates itself.
    /// </summary>
    public static async Task<WicPage> OpenTraceAsync(this RunningSystem system, string traceId)
    {
        var page = await system.Chromium.OpenAsync(
            new Uri(system.PageAddress, $"flow/#/calls/{traceId}"),
            new() { ReducedMotion = ReducedMotion.Reduce, ViewportSize = new() { Width = 1600, Height = 1100 } });
        await page.Page.Locator("svg.ladder").WaitForAsync(new() { Timeout = (float)Arrival.TotalMilliseconds });
        return page;
    }

    /// <summary>Polls FlowView through the gateway, as the page does, until the spans of a trace fulfil a condition.</summary>
    public static async Task<List<ShownSpan>> WaitForSpansAsync(
        this RunningSystem system, IPage page, string traceId, Func<List<ShownSpan>, bool> condition)
    {
        using var limit = new CancellationTokenSource(Arrival);
        while (true)
        {
            var answer = await page.APIRequest.GetAsync(new Uri(system.PageAddress, $"flow/api/traces/{traceId}").ToString());
            var spans = answer.Ok
                ? (await answer.JsonAsync())!.Value.GetProperty("spans").EnumerateArray().Select(ShownSpan.Read).ToList()
                : [];
            if (condition(spans)) return spans;
            Assert.False(limit.IsCancellationRequested, $"The trace {traceId} has:\n{string.Join('\n', spans)}");
            await Task.Delay(200, CancellationToken.None);
        }
    }

    /// <summary>
    /// Expects a failure to be explained: its reason in the list of calls, one click further one crossed arrow in the ladder, between the
    /// given parts and with the reason, and beside it a log record that says the same.
    /// </summary>
    public static async Task ExpectFailureAsync(
        this RunningSystem system, string traceId, string step, string arrow, string reason, string log)
    {
        await using var flowView = await system.Chromium.OpenAsync(
            new Uri(system.PageAddress, $"flow/#/calls?text={traceId}"),
            new() { ReducedMotion = ReducedMotion.Reduce, ViewportSize = new() { Width = 1600, Height = 1100 } });
        await Assertions.Expect(flowView.Page.Locator("td.outcome")).ToContainTextAsync(reason, Patient);
        await flowView.Page.Locator("td.what a").ClickAsync();

        var cause = flowView.Page.Locator("svg.ladder .row.cause");
        await Assertions.Expect(cause).ToHaveAttributeAsync(
            "aria-label", new Regex($"{Regex.Escape(arrow)}.*failed: .*{Regex.Escape(reason)}"), new() { Timeout = Patient.Timeout });
        await Assertions.Expect(cause).ToHaveAttributeAsync("data-step", step);
        await flowView.ExpectTextAsync("cause", reason);
        await Assertions.Expect(flowView.Get("logs-of-call")).ToContainTextAsync(log, Patient);
        await flowView.KeepAsync($"ladder-{reason.Split(' ')[0]}-{step}");
    }

    /// <summary>Saves a screenshot for review in the output folder of the tests. A ladder is shown in full length.</summary>
    public static async Task KeepAsync(this WicPage page, string name)
    {
        await page.Page.EvaluateAsync(
            "() => { for (const scroll of document.querySelectorAll('.ladder-scroll')) scroll.style.maxHeight = 'none'; }");
        var path = Path.Combine(AppContext.BaseDirectory, "screenshots", $"{Regex.Replace(name, "[^a-zA-Z0-9-]", "-")}.png");
        await page.Page.ScreenshotAsync(new() { Path = path, FullPage = true });
    }
}

/// <summary>A span in the answer of FlowView.</summary>
internal sealed record ShownSpan(string Id, string Parent, string Service, string Name, string Step, bool Error)
{
    /// <summary>Whether this is the span of a page for the set-up of a call.</summary>
    public bool IsSetUp => this is { Service: "wic", Name: "set up call" };

    public bool Is(string service, string? step = null) => Service == service && (step is null || Step == step);

    public static ShownSpan Read(JsonElement span) => new(
        span.GetProperty("id").GetString()!, span.GetProperty("parent").GetString()!, span.GetProperty("service")
            .GetString()!, span.GetProperty("name").GetString()!,
        span.GetProperty("attributes").TryGetProperty("ims.step", out var step) ? step.ToString() : "", span.GetProperty("error")
            .GetBoolean());
}
