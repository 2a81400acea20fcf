using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>FlowView, reached through the gateway, explains a real call.</summary>
[Collection(RunningSystem.Collection)]
public sealed class FlowViewTests(RunningSystem system)
{
    [Fact]
    [Requirement("TS33.203-X.5.3.2-1")]
    public async Task Call_IsShownAsTheEightStepsOfTheFigureInOrder()
    {
        await using var wic = await OpenAsGuestAsync();
        await wic.CallAsync();
        await wic.WaitForMediaAsync();
        var traceId = await wic.TextAsync("trace-id");
        await wic.HangUpAsync();
        await using var flowView = await system.OpenTraceAsync(traceId);

        await flowView.Page.Locator($"{FlowViewPage.Step}[data-step='8']").First.WaitForAsync();
        await flowView.Page.Locator($"{FlowViewPage.Step}[data-step='1']").First.WaitForAsync();

        Assert.Equal(["1", "2", "3", "4", "5", "6", "7", "8"], (await StepsAsync(flowView.Page)).Distinct());
        Assert.Equal(
            ["User", "WIC", "WWSF", "WAF", "Redis", "TURN"],
            await flowView.Page.Locator("svg.ladder > g[aria-hidden] > text[font-weight]").AllTextContentsAsync());
        Assert.Empty(await flowView.Get("cause").AllInnerTextsAsync());
        Assert.Empty((await flowView.Page.RunAxe()).Violations);
        await flowView.KeepAsync("ladder-call");

        // By keyboard: the first row is reached by Tab, Enter opens its span.
        await flowView.Page.Locator("svg.ladder .row").First.FocusAsync();
        await flowView.Page.Keyboard.PressAsync("ArrowDown");
        await flowView.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(flowView.Get("details")).ToContainTextAsync("/api/turn-token");
    }

    [Fact]
    public async Task List_FindsTheCallByItsAttribute()
    {
        await using var wic = await OpenAsGuestAsync();
        await wic.CallAsync();
        await wic.WaitForMediaAsync();
        var traceId = await wic.TextAsync("trace-id");
        await wic.HangUpAsync();
        await using var flowView = await system.Chromium.OpenAsync(new Uri(system.PageAddress, "flow/#/traces?service=turn&attribute=turn.kid%3Dk1"));

        await flowView.Page.Locator($"a[href='#/traces/{traceId}']").WaitForAsync(new() { Timeout = 10_000 });
        Assert.Empty((await flowView.Page.RunAxe()).Violations);
    }

    [Fact]
    public async Task Page_ShowsWhatJustHappenedWithTheSameLadder()
    {
        await using var wic = await OpenAsGuestAsync();
        await wic.CallAsync();
        await wic.WaitForMediaAsync();
        await wic.Page.Locator("[data-testid=what-happened] summary").ClickAsync();

        // Opened in the call: what is still to come arrives by itself.
        await Assertions.Expect(wic.Page.Locator($"[data-testid=what-happened-ladder] {FlowViewPage.Step}[data-step='8']").First).ToBeAttachedAsync(new() { Timeout = 15_000 });
        Assert.Equal(["1", "2", "3", "4", "5", "6", "7", "8"], (await StepsAsync(wic.Page)).Distinct());
        await wic.HangUpAsync();
        await wic.KeepAsync("wic-what-happened");
        Assert.Empty((await wic.Page.RunAxe()).Violations);
    }

    [Fact]
    public async Task Measurement_LeadsToItsTrace()
    {
        await using var wic = await OpenAsGuestAsync();
        await wic.CallAsync();
        await wic.WaitForMediaAsync();
        var traceId = await wic.TextAsync("trace-id");
        await wic.HangUpAsync();
        await using var flowView = await system.Chromium.OpenAsync(new Uri(system.PageAddress, "flow/#/metrics/turn/turn.allocation.duration"));

        // This call's, not whatever is left of others.
        var exemplar = flowView.Page.Locator($"[data-testid=metric] svg.chart a[href='#/traces/{traceId}']").First;
        await exemplar.WaitForAsync(new() { Timeout = 30_000 });
        await flowView.KeepAsync("flow-exemplars");
        Assert.Empty((await flowView.Page.RunAxe()).Violations);
        await flowView.Page.GotoAsync(new Uri(system.PageAddress, "flow/" + await exemplar.GetAttributeAsync("href")).ToString());
        await flowView.Page.Locator($"{FlowViewPage.Step}[data-step='8']").First.WaitForAsync(new() { Timeout = 10_000 });
    }

    [Theory]
    [InlineData("traces", "[data-testid=traces], .empty", ColorScheme.Light)]
    [InlineData("traces", "[data-testid=traces], .empty", ColorScheme.Dark)]
    [InlineData("metrics/turn/turn.requests", "[data-testid=metric]", ColorScheme.Light)]
    [InlineData("metrics/turn/turn.requests", "[data-testid=metric]", ColorScheme.Dark)]
    [InlineData("resources", "[data-resource]", ColorScheme.Light)]
    [InlineData("resources", "[data-resource]", ColorScheme.Dark)]
    public Task Pages_AreForEverybody(string view, string content, ColorScheme scheme) => ExpectForEverybodyAsync(view, content, scheme);

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task Logs_AreForEverybody(ColorScheme scheme)
    {
        // FlowView may be younger than every log line so far; a service that starts writes some.
        await using (await system.WithoutAsync("turn"))
        {
        }

        await ExpectForEverybodyAsync("logs", "table", scheme);
    }

    private async Task ExpectForEverybodyAsync(string view, string content, ColorScheme scheme)
    {
        await using var flowView = await system.Chromium.OpenAsync(new Uri(system.PageAddress, $"flow/#/{view}"), new() { ColorScheme = scheme });
        await flowView.Page.Locator(content).First.WaitForAsync(new() { Timeout = 10_000 });

        await flowView.KeepAsync($"flow-{view.Split('/')[0]}-{scheme}");
        Assert.Empty((await flowView.Page.RunAxe()).Violations);
    }

    [Fact]
    public async Task CallWithoutFlowView_WorksAsWell()
    {
        await using var wic = await OpenAsGuestAsync();
        await using (await system.WithoutAsync("flow-view"))
        {
            await wic.CallAsync();
            await wic.WaitForMediaAsync();
            await wic.HangUpAsync();
        }
    }

    [Fact]
    public async Task Resources_AreShownWithTheirOutput_AndNobodyStopsThemThroughTheGateway()
    {
        await using var flowView = await system.Chromium.OpenAsync(new Uri(system.PageAddress, "flow/#/resources/waf"));

        foreach (var resource in new[] { "redis", "waf", "wwsf", "turn", "wic-web", "flow-view" })
            await Assertions.Expect(flowView.Page.Locator($"[data-resource='{resource}']")).ToContainTextAsync("Healthy", new() { Timeout = 10_000 });
        // Not a line of its start, which is gone when it has printed much since.
        var printed = await system.LinesOfAsync("waf");
        await Assertions.Expect(flowView.Get("console")).ToContainTextAsync(printed[^1].Content.Trim());
        Assert.Equal(0, await flowView.Page.GetByText("Stop", new() { Exact = true }).CountAsync());
        var answer = await flowView.Page.APIRequest.PostAsync(
            new Uri(system.PageAddress, "flow/api/resources/waf/stop").ToString(), new() { Headers = [new("X-FlowView-Command", "1")] });
        Assert.False(answer.Ok);
    }

    [Fact]
    public async Task Resource_IsRestartedFromFlowViewsOwnAddress()
    {
        await using var flowView = await system.Chromium.OpenAsync(new Uri(system.App.GetEndpoint("flow-view"), "flow/#/resources"));
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        var starting = system.App.ResourceNotifications.WaitForResourceAsync("waf", change => change.Snapshot.State?.Text == KnownResourceStates.Starting, limit.Token);

        await flowView.Page.Locator("[data-resource='waf']").GetByRole(AriaRole.Button, new() { Name = "Restart" }).ClickAsync();

        await starting;
        await system.App.ResourceNotifications.WaitForResourceHealthyAsync("waf", limit.Token);
        await Assertions.Expect(flowView.Page.Locator("[data-resource='waf']")).ToContainTextAsync("Healthy", new() { Timeout = 10_000 });
    }

    private async Task<WicPage> OpenAsGuestAsync()
    {
        var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await wic.ContinueAsGuestAsync();
        return wic;
    }

    private static async Task<IEnumerable<string>> StepsAsync(IPage page)
    {
        List<string> steps = [];
        foreach (var row in await page.Locator(FlowViewPage.Step).AllAsync()) steps.Add(await row.GetAttributeAsync("data-step") ?? "");
        return steps;
    }
}
