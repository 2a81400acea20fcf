using System.Text.RegularExpressions;
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
            await flowView.Page.Locator("svg.ladder-heads > text[font-weight]").AllTextContentsAsync());
        Assert.Empty(await flowView.Get("cause").AllInnerTextsAsync());
        Assert.Empty((await flowView.Page.RunAxe()).Violations);
        await flowView.KeepAsync("ladder-call");

        // By keyboard: Tab moves to the first row, Enter opens its span.
        await flowView.Page.Locator("svg.ladder .row").First.FocusAsync();
        await flowView.Page.Keyboard.PressAsync("ArrowDown");
        await flowView.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(flowView.Get("details")).ToContainTextAsync("/api/turn-token");
    }

    [Fact]
    public async Task List_FindsTheCallByItsAttribute()
    {
        await using var wic = await OpenAsGuestAsync();
        var traceId = await CallTheEchoAsync(wic);
        var kid = Assert.Single(await system.CurrentKeysAsync(), kid => kid.StartsWith("k1.", StringComparison.Ordinal));
        await using var flowView = await system.OpenCallsAsync($"attribute=turn.kid%3D{kid}");

        await Assertions.Expect(RowOf(flowView.Page, traceId)).ToBeVisibleAsync();
        Assert.Empty((await flowView.Page.RunAxe()).Violations);
    }

    [Fact]
    [Requirement("EXP-19")]
    public async Task List_ShowsKindCallerAndOutcomeOfACall()
    {
        await using var wic = await OpenAsGuestAsync();
        var traceId = await CallTheEchoAsync(wic);
        await using var flowView = await system.OpenCallsAsync("text=guest&outcome=worked&kind=echo");

        var row = RowOf(flowView.Page, traceId);
        await Assertions.Expect(row).ToContainTextAsync("Echo call");
        await Assertions.Expect(row).ToContainTextAsync("guest ");
        await Assertions.Expect(row).ToContainTextAsync("Worked");
        await Assertions.Expect(row.GetByRole(AriaRole.Img)).ToHaveAttributeAsync("aria-label", "Steps 1, 2, 3, 4, 5, 6, 7, 8 of 8");
        // Each entry matches the search.
        Assert.All(await flowView.Page.Locator("td.what a").AllInnerTextsAsync(), name => Assert.Equal("Echo call", name));
    }

    [Fact]
    [Requirement("EXP-19")]
    public async Task List_ShowsWhyACallFailed()
    {
        await using var wic = await OpenAsGuestAsync();
        await wic.WaitUntilOnlineAsync();
        await wic.DialAsync("nobody");
        await wic.ExpectAlertAsync("Nobody has this address");
        var traceId = await wic.TextAsync("trace-id");
        await system.WaitForSpansAsync(wic.Page, traceId, spans =>
            spans.Any(span => span.IsSetUp) && spans.Any(span => span.Name == "SIP INVITE"));
        await using var flowView = await system.OpenCallsAsync("outcome=failed&kind=person");

        await Assertions.Expect(RowOf(flowView.Page, traceId)).ToContainTextAsync("404 nobody is registered");
    }

    [Fact]
    [Requirement("EXP-16")]
    public async Task List_KnowsTheDemoLine()
    {
        await using var wic = await OpenAsGuestAsync();
        await wic.WaitUntilOnlineAsync();
        await wic.Get("demo-line").ClickAsync();
        await wic.ExpectInCallAsync();
        await wic.WaitForMediaAsync();
        var traceId = await wic.TextAsync("trace-id");
        await wic.HangUpAsync();
        await system.WaitForSpansAsync(wic.Page, traceId, spans =>
            spans.Any(span => span.IsSetUp && span.Parent.Length == 0) && spans.Count(span => span.Is("wwsf", "3")) == 2);
        await using var flowView = await system.OpenCallsAsync("kind=demo_line");

        var row = RowOf(flowView.Page, traceId);
        await Assertions.Expect(row).ToContainTextAsync("Call to the demo line", new() { Timeout = 30_000 });
        await Assertions.Expect(row.Locator(".person")).ToHaveCountAsync(2, new() { Timeout = 30_000 });
        await Assertions.Expect(row).ToContainTextAsync("packets lost", new() { Timeout = 30_000 });

        await row.GetByRole(AriaRole.Link).ClickAsync();
        await ExpectLadderOfTwoPeopleAsync(flowView);
    }

    /// <summary>All lanes fit the place, and their heads stay when the rows scroll.</summary>
    private static async Task ExpectLadderOfTwoPeopleAsync(WicPage flowView)
    {
        await flowView.Page.SetViewportSizeAsync(1280, 720);
        var scroll = flowView.Get("ladder");
        await scroll.Locator("svg.ladder .row").First.WaitForAsync();
        var heads = scroll.Locator("svg.ladder-heads > text[font-weight]");
        await Assertions.Expect(heads).ToContainTextAsync(["User", "WIC", "WWSF", "WAF", "eP-CSCF", "Redis", "TURN", "Peer"]);
        Assert.True(await scroll.EvaluateAsync<bool>("place => place.scrollWidth <= place.clientWidth"), "The ladder scrolls sideways.");
        Assert.True(
            await scroll.EvaluateAsync<bool>(
                """
                place => {
                  place.scrollTop = 1e6;
                  const top = element => element.getBoundingClientRect().top;
                  return place.scrollTop === 0 || Math.abs(top(place.querySelector('.ladder-heads')) - top(place)) < 2;
                }
                """),
            "The heads of the lanes scroll away.");
        await flowView.Page.ScreenshotAsync(
            new() { Path = Path.Combine(AppContext.BaseDirectory, "screenshots", "ladder-of-two-1280.png") });
    }

    [Fact]
    [Requirement("EXP-12")]
    public async Task List_LeavesOutWhatIsNoCall_UnlessAskedFor_AndPollsHaveNoTraces()
    {
        await using var wic = await OpenAsGuestAsync();
        await wic.WaitUntilOnlineAsync();
        await using var flowView = await system.OpenCallsAsync("");
        var names = flowView.Page.Locator("td.what");
        await Assertions.Expect(names.GetByText("Registration").First).ToBeVisibleAsync(new() { Timeout = 30_000 });
        Assert.Equal(0, await names.GetByText("GET /api/session").CountAsync());

        await flowView.Page.GetByLabel("Other traces").CheckAsync();

        await Assertions.Expect(names.GetByText("GET /api/session").First).ToBeVisibleAsync(new() { Timeout = 30_000 });
        Assert.EndsWith("#/calls?other=true", flowView.Page.Url, StringComparison.Ordinal);
        string[] polls = ["GET /api/directory", "GET /session", "HGET", "POST /sessions/find"];
        foreach (var noise in polls.Concat(["GET /assets", "GET /icon.svg"]))
            Assert.Equal(0, await names.GetByText(noise).CountAsync());
    }

    [Fact]
    [Requirement("EXP-13")]
    public async Task List_IsLive_AndKeepsTheFocusAndTheTypedText()
    {
        await using var wic = await OpenAsGuestAsync();
        var first = await CallTheEchoAsync(wic);
        await using var flowView = await system.OpenCallsAsync("kind=echo");
        var person = flowView.Page.GetByLabel("Text, person or trace id");
        await person.FillAsync("guest");
        await RowOf(flowView.Page, first).GetByRole(AriaRole.Link).FocusAsync();

        var second = await CallTheEchoAsync(wic);

        await Assertions.Expect(RowOf(flowView.Page, second)).ToContainTextAsync("Worked", new() { Timeout = 20_000 });
        await Assertions.Expect(RowOf(flowView.Page, first).GetByRole(AriaRole.Link)).ToBeFocusedAsync();
        await Assertions.Expect(person).ToHaveValueAsync("guest");
        await flowView.Page.Keyboard.PressAsync("ArrowUp");
        await Assertions.Expect(RowOf(flowView.Page, second).GetByRole(AriaRole.Link)).ToBeFocusedAsync();
        await flowView.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(flowView.Page).ToHaveURLAsync(new Regex($"#/calls/{second}$"));
    }

    [Fact]
    [Requirement("EXP-13")]
    public async Task ClickOnACall_OpensItsLadder_AlsoIfTheCallChangesMeanwhile()
    {
        await using var wic = await OpenAsGuestAsync();
        await wic.CallAsync();
        await wic.ExpectInCallAsync();
        var traceId = await wic.TextAsync("trace-id");
        await using var flowView = await system.OpenCallsAsync("kind=echo");
        var row = RowOf(flowView.Page, traceId);
        await row.GetByRole(AriaRole.Link).HoverAsync();
        await flowView.Page.Mouse.DownAsync();

        var before = await row.Locator("td.took").TextContentAsync();
        await wic.HangUpAsync();
        await Assertions.Expect(row.Locator("td.took")).Not.ToHaveTextAsync(before!, new() { Timeout = 30_000 });

        await flowView.Page.Mouse.UpAsync();
        await Assertions.Expect(flowView.Page).ToHaveURLAsync(new Regex($"#/calls/{traceId}$"));
    }

    [Fact]
    [Requirement("EXP-13")]
    [Requirement("EXP-22")]
    public async Task List_PausesAndGoesOn()
    {
        await using var wic = await OpenAsGuestAsync();
        var first = await CallTheEchoAsync(wic);
        await using var flowView = await system.OpenCallsAsync("kind=echo");
        await Assertions.Expect(RowOf(flowView.Page, first)).ToBeVisibleAsync(new() { Timeout = 30_000 });
        await flowView.Get("pause").ClickAsync();

        var second = await CallTheEchoAsync(wic);

        await Assertions.Expect(flowView.Page.Locator("#live")).ToContainTextAsync("changed", new() { Timeout = 30_000 });
        Assert.Equal(0, await RowOf(flowView.Page, second).CountAsync());
        await flowView.Get("pause").ClickAsync();
        await Assertions.Expect(RowOf(flowView.Page, second)).ToBeVisibleAsync(new() { Timeout = 30_000 });
        await Assertions.Expect(flowView.Page.Locator("#live")).ToHaveTextAsync("Live", new() { Timeout = 30_000 });

        await flowView.Get("phone").ClickAsync();
        await Assertions.Expect(flowView.Get("guest").Or(flowView.Get("call")).First).ToBeVisibleAsync(new() { Timeout = 30_000 });
    }

    [Fact]
    public async Task Address_KeepsTheSearch()
    {
        await using var flowView =
            await system.OpenCallsAsync(
                "text=guest&outcome=failed&kind=person&min_ms=5&max_ms=90000&from=2026-01-02T03%3A04%3A00.000Z&attribute=turn.kid%3Dk1&other=true");

        await Assertions.Expect(flowView.Page.GetByLabel("Outcome")).ToHaveValueAsync("failed");
        await Assertions.Expect(flowView.Page.GetByLabel("Kind")).ToHaveValueAsync("person");
        await Assertions.Expect(flowView.Page.GetByLabel("Other traces")).ToBeCheckedAsync();
        await Assertions.Expect(flowView.Page)
            .ToHaveURLAsync(
                new Regex(
                    "text=guest&outcome=failed&kind=person&min_ms=5&max_ms=90000&from=2026-01-02T03%3A04%3A00.000Z&attribute=turn.kid%3Dk1&other=true$"));
        await flowView.Page.GetByLabel("Outcome").SelectOptionAsync("worked");
        await Assertions.Expect(flowView.Page).ToHaveURLAsync(new Regex("outcome=worked&kind=person"));
    }

    [Fact]
    public async Task OldAddress_ShowsTheCall_WithLinksToOtherViewers()
    {
        await using var wic = await OpenAsGuestAsync();
        var traceId = await CallTheEchoAsync(wic);
        await using var flowView = await system.Chromium.OpenAsync(new Uri(system.PageAddress, $"flow/#/traces/{traceId}"));

        await flowView.Page.Locator("svg.ladder").WaitForAsync();
        var links = flowView.Get("viewer");
        await Assertions.Expect(links).ToHaveTextAsync(["Open in Aspire", "Open in jaeger.example"]);
        await Assertions.Expect(links.Last).ToHaveAttributeAsync("href", $"https://jaeger.example/trace/{traceId}");
        await Assertions.Expect(links.Last).ToHaveAttributeAsync("rel", "noopener");
        await Assertions.Expect(links.Last).ToHaveAttributeAsync("target", "_blank");
    }

    [Fact]
    public async Task Views_LoadOnceWhenTheyOpen()
    {
        await using var wic = await OpenAsGuestAsync();
        var traceId = await CallTheEchoAsync(wic);
        await wic.Page.CloseAsync();
        // Log records of the call may still arrive, and each one loads the view again. Here only the opening counts.
        await using var flowView = await system.Chromium.OpenAsync(
            new Uri("about:blank"), script: """
            const listen = EventSource.prototype.addEventListener;
            EventSource.prototype.addEventListener = function (type, ...rest) {
              if (type !== 'change') listen.call(this, type, ...rest);
            };
            """);
        var loads = 0;
        flowView.Page.Request += (_, request) =>
            loads += request.Url.EndsWith($"/flow/api/traces/{traceId}", StringComparison.Ordinal) ? 1 : 0;

        await flowView.Page.GotoAsync(new Uri(system.PageAddress, $"flow/#/calls/{traceId}").ToString());
        await flowView.Page.Locator("svg.ladder").WaitForAsync();
        await Assertions.Expect(flowView.Page.Locator("#live")).ToHaveTextAsync("Live");

        Assert.Equal(1, loads);
    }

    [Fact]
    public async Task Page_ShowsItsLastCallWithTheSameLadder()
    {
        await using var wic = await OpenAsGuestAsync();
        await wic.CallAsync();
        await wic.WaitForMediaAsync();
        await wic.Page.Locator("[data-testid=what-happened] summary").ClickAsync();

        // The ladder is opened during the call. Later spans appear without a reload.
        await Assertions.Expect(wic.Page.Locator($"[data-testid=what-happened-ladder] {FlowViewPage.Step}[data-step='8']").First)
            .ToBeAttachedAsync(new() { Timeout = 15_000 });
        Assert.Equal(["1", "2", "3", "4", "5", "6", "7", "8"], (await StepsAsync(wic.Page)).Distinct());
        await wic.HangUpAsync();
        await wic.KeepAsync("wic-what-happened");
        Assert.Empty((await wic.Page.RunAxe()).Violations);
    }

    [Theory]
    [InlineData("light", ColorScheme.Light, 1280, 720)]
    [InlineData("dark", ColorScheme.Dark, 1280, 720)]
    [InlineData("phone-light", ColorScheme.Light, 390, 844)]
    [InlineData("phone-dark", ColorScheme.Dark, 390, 844)]
    [Requirement("EXP-23")]
    public async Task Pages_AreForEverybody(string look, ColorScheme scheme, int width, int height)
    {
        await using var wic = await OpenAsGuestAsync();
        var traceId = await CallTheEchoAsync(wic);
        var options = new BrowserNewContextOptions { ColorScheme = scheme, ViewportSize = new() { Width = width, Height = height } };

        await using var list = await system.Chromium.OpenAsync(new Uri(system.PageAddress, "flow/"), options);
        await Assertions.Expect(RowOf(list.Page, traceId)).ToContainTextAsync("Worked");
        await ExpectForEverybodyAsync(list, $"calls-{look}");

        await list.Page.GotoAsync(new Uri(system.PageAddress, $"flow/#/calls/{traceId}").ToString());
        await list.Page.Locator("svg.ladder .row").First.ClickAsync();
        await list.Get("details").WaitForAsync();
        await ExpectForEverybodyAsync(list, $"call-{look}");
    }

    private static async Task ExpectForEverybodyAsync(WicPage flowView, string name)
    {
        await flowView.Page.ScreenshotAsync(new() { Path = Path.Combine(AppContext.BaseDirectory, "screenshots", $"{name}.png") });
        Assert.Empty((await flowView.Page.RunAxe()).Violations);
        Assert.False(
            await flowView.Page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth > innerWidth"),
                "The page scrolls sideways.");
        Assert.Empty(await flowView.Page.EvaluateAsync<string[]>(
            "() => [...document.querySelectorAll('body *')].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && parseFloat(getComputedStyle(e).fontSize) < 12).map(e => e.textContent)"));
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

    private static ILocator RowOf(IPage flowView, string traceId) =>
        flowView.Locator("tr", new() { Has = flowView.Locator($"a[href='#/calls/{traceId}']") });

    /// <summary>Makes a successful call, waits until FlowView has its main spans, and returns the trace id.</summary>
    private async Task<string> CallTheEchoAsync(WicPage wic)
    {
        await wic.CallAsync();
        await wic.WaitForMediaAsync();
        var traceId = await wic.TextAsync("trace-id");
        await wic.HangUpAsync();
        await system.WaitForSpansAsync(wic.Page, traceId, spans =>
            spans.Any(span => span.IsSetUp) && spans.Any(span => span.Is("turn", "8")) && spans.Any(span => span.Is("wwsf", "6")));
        return traceId;
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
