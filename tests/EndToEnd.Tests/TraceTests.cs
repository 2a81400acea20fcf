using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.EndToEnd.Tests.Telemetry;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>One trace from the click to the relay.</summary>
[Collection(RunningSystem.Collection)]
public sealed class TraceTests(RunningSystem system)
{
    private const string SetUp = "set up call";

    [Fact]
    public async Task Call_MakesOneTraceFromTheClickToTheAllocation_InAnyCollector()
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await wic.ContinueAsGuestAsync();
        await wic.ChooseTransportAsync("udp");
        await wic.CallAsync();
        await wic.WaitForMediaAsync();
        var traceId = await wic.TextAsync("trace-id");

        // The spans arrive during the call.
        var trace = await system.Collector.WaitForAsync(
            traceId, spans =>
                spans.Any(IsAllocate) && spans.Any(IsTokenRequestAtGateway)
                    && spans.Any(span => span is { Service: "wic", Name: SetUp }), TimeSpan.FromSeconds(20));
        await wic.HangUpAsync();

        // Page → gateway → WWSF → WAF → (through the grant) TURN → Redis: each descends from the one before.
        var gateway = Assert.Single(trace, IsTokenRequestAtGateway);
        var wwsf = Assert.Single(trace, span => span.Service == "wwsf" && span.Name.Contains("turn-token", StringComparison.Ordinal));
        var waf = Assert.Single(trace, span => span.Service == "waf" && span.Attributes.GetValueOrDefault("ims.step") == "5");
        var click = Assert.Single(trace, span => span.ParentSpanId.Length == 0);
        Assert.Equal(("wic", SetUp), (click.Service, click.Name));
        Assert.Distinct(trace.Select(span => span.SpanId));
        AssertDescends(trace, gateway, click);
        AssertDescends(trace, wwsf, gateway);
        AssertDescends(trace, waf, wwsf);
        Assert.Contains(trace, span => span.Service == "waf" && span.Source == "WebRtcIms.Redis");

        var allocates = trace.Where(IsAllocate).ToList();
        Assert.All(allocates, allocate =>
        {
            AssertDescends(trace, allocate, wwsf);
            Assert.Equal("8", allocate.Attributes["ims.step"]);
            Assert.Contains(trace, span => span.Source == "WebRtcIms.Redis" && span.ParentSpanId == allocate.SpanId);
        });

        for (var step = 1; step <= 8; step++)
            Assert.Contains(trace, span => span.Attributes.GetValueOrDefault("ims.step") == $"{step}");
        Assert.All(trace.Where(span => span.ParentSpanId.Length > 0), span =>
            Assert.True(trace.Any(parent => parent.SpanId == span.ParentSpanId), $"orphan: {span}"));
    }

    [Fact]
    [Requirement("TS33.203-X.5.3.2-1")]
    public async Task CallBetweenTwoPeople_IsOneTraceWithTheStepsOfBothPages()
    {
        // The guest is the callee: alice may still have a binding of an earlier test, which the eP-CSCF keeps for a reconnect.
        await using var guest = await system.Chromium.OpenAsync(system.PageAddress);
        await guest.ContinueAsGuestAsync();
        var address = await guest.WaitUntilOnlineAsync();
        await using var alice = await system.Chromium.OpenAsync(system.PageAddress);
        await alice.LogInAsync(DemoUser.Name, DemoUser.Password);
        await alice.WaitUntilOnlineAsync();
        await alice.DialAsync(address);
        await guest.AcceptAsync("Alice");
        await alice.ExpectInCallAsync();
        await alice.WaitForMediaAsync();
        var traceId = await alice.TextAsync("trace-id");
        await alice.HangUpAsync();
        await guest.ExpectIdleAsync();

        var spans = await system.WaitForSpansAsync(alice.Page, traceId, spans =>
            spans.Count(span => span.IsSetUp) == 2 && spans.Count(span => span.Is("turn", step: "8")) >= 2
                && spans.Count(span => span.Is("wic", step: "8")) == 2
            && spans.Any(span => span.Name == "SIP BYE"));
        var byId = spans.ToDictionary(span => span.Id);
        var described = string.Join('\n', spans);

        // There is one root, the click. The parent of every other span is in the trace.
        var root = Assert.Single(spans, span => span.Parent.Length == 0);
        Assert.True(root.IsSetUp, described);
        Assert.All(spans.Where(span => span != root), span =>
            Assert.True(byId.ContainsKey(span.Parent), $"orphan: {span} in\n{described}"));
        Assert.All(spans.Where(span => span.Step.Length > 0), span => Assert.False(span.Error, $"failed: {span}"));

        // Both pages have all their steps. The span of the callee is a child of the INVITE that the eP-CSCF sent to it.
        var callee = Assert.Single(spans, span => span.IsSetUp && span != root);
        Assert.True(byId[callee.Parent].Is("ep-cscf") && byId[callee.Parent].Name == "SIP INVITE", described);
        Assert.All(spans.Where(span => span.Is("ep-cscf") && byId[span.Parent].Service == "wic"), span =>
            Assert.True(byId[span.Parent].IsSetUp, described));
        foreach (var call in new[] { root, callee })
        {
            foreach (var step in new[] { "1", "2", "7", "8" })
                Assert.Equal(call.Id, Assert.Single(spans, span => span.Is("wic", step) && PageOf(span) == call).Parent);
            foreach (var (service, step, below) in new[] { ("wwsf", "3", "2"), ("wwsf", "4", "2"), ("waf", "5", "4"), ("wwsf", "6", "2"),
                ("turn", "8", "5") })
                Assert.All(spans.Where(span => span.Is(service, step) && PageOf(span) == call), span =>
                    Assert.Contains(Above(span), parent => parent.Step == below));
            foreach (var step in new[] { "3", "4", "5", "6", "8" })
                Assert.Contains(spans, span => span.Step == step && span.Service != "wic" && PageOf(span) == call);
        }

        await using var flowView = await system.OpenTraceAsync(traceId);
        await Assertions.Expect(flowView.Page.Locator("svg.ladder-heads > text[font-weight]"))
            .ToHaveTextAsync(["User", "WIC", "WWSF", "WAF", "eP-CSCF", "Redis", "TURN", "Peer"]);
        var steps = await flowView.Page.Locator(FlowViewPage.Step)
            .EvaluateAllAsync<string[]>(
                "rows => rows.map(row => row.dataset.step + (/peer/i.test(row.getAttribute('aria-label')) ? ' peer' : ''))");
        Assert.Equal(
            ["1", "2", "3", "4", "5", "6", "7", "8"], steps.Where(step => !step.Contains("peer", StringComparison.Ordinal)).Distinct());
        Assert.Empty(await flowView.Get("cause").AllInnerTextsAsync());
        await flowView.KeepAsync("ladder-people");
        await flowView.Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Dark });
        await flowView.KeepAsync("ladder-people-dark");

        IEnumerable<ShownSpan> Above(ShownSpan span)
        {
            for (var parent = byId.GetValueOrDefault(span.Parent); parent is not null; parent = byId.GetValueOrDefault(parent.Parent))
                yield return parent;
        }

        ShownSpan PageOf(ShownSpan span) => Above(span).Prepend(span).First(above => above.IsSetUp);
    }

    [Fact]
    [Requirement("RFC3261-16.7-1")]
    public async Task CalleeWithTwoPages_TheOneThatWasNotAnsweredIsNoFailure()
    {
        // Alice may still have a binding of an earlier test, which the eP-CSCF keeps for a reconnect. It would be a third branch.
        await using var guest = await system.Chromium.OpenAsync(system.PageAddress);
        await guest.ContinueAsGuestAsync();
        await guest.WaitUntilOnlineAsync();
        await UntilOfflineAsync(guest.Page, "alice");

        await using var first = await system.Chromium.OpenAsync(system.PageAddress);
        await using var second = await system.Chromium.OpenAsync(system.PageAddress);
        foreach (var alice in new[] { first, second })
        {
            await alice.LogInAsync(DemoUser.Name, DemoUser.Password);
            await alice.WaitUntilOnlineAsync();
        }

        await guest.DialAsync("alice");
        await second.Get("accept").WaitForAsync();
        await first.Get("accept").ClickAsync();
        await guest.ExpectInCallAsync();
        await second.Get("accept").WaitForAsync(new() { State = WaitForSelectorState.Hidden });
        var traceId = await guest.TextAsync("trace-id");
        await guest.HangUpAsync();

        await system.WaitForSpansAsync(guest.Page, traceId, spans =>
            spans.Any(span => span.Name == "SIP BYE") && spans.Count(span => span.Is("ep-cscf") && span.Name == "SIP INVITE") >= 3
                && spans.Count(span => span.IsSetUp) >= 2);
        await using var flowView = await system.OpenTraceAsync(traceId);
        await Assertions.Expect(flowView.Page.Locator("svg.ladder .row[aria-label*='487']"))
            .ToHaveCountAsync(1, new() { Timeout = 15_000 });
        Assert.Empty(await flowView.Get("cause").AllInnerTextsAsync());
        await flowView.KeepAsync("ladder-two-pages");
    }

    // A lost binding is kept for ten seconds.
    private static async Task UntilOfflineAsync(IPage page, string user)
    {
        await Assertions.Expect(page.GetByTestId("people")).ToHaveAttributeAsync("data-known", "true", new() { Timeout = 30_000 });
        await Assertions.Expect(page.GetByTestId($"sip:{user}@webrtcims.local")).ToHaveCountAsync(0, new() { Timeout = 40_000 });
    }

    [Fact]
    public async Task EachRegister_HasATraceOfItsOwn()
    {
        ConcurrentQueue<(string Trace, string Span)> sent = [];
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress);
        wic.Page.WebSocket += (_, socket) => socket.FrameSent += (_, frame) =>
        {
            if (Regex.Match(
                frame.Text ?? "", @"^REGISTER .*\r\nTraceparent: 00-(\w{32})-(\w{16})-01\r\n",
                RegexOptions.Singleline) is { Success: true } register)
                sent.Enqueue((register.Groups[1].Value, register.Groups[2].Value));
        };
        await wic.ContinueAsGuestAsync();
        await wic.WaitUntilOnlineAsync();

        // After a change of network the page registers again with its token.
        await wic.Page.EvaluateAsync("() => dispatchEvent(new Event('online'))");
        while (sent.Count < 2) await Task.Delay(50, TestContext.Current.CancellationToken);

        Assert.Distinct(sent.Select(register => register.Trace));
        foreach (var ((id, root), tokens) in sent.Zip([1, 0]))
        {
            var trace = await system.Collector.WaitForAsync(id, spans =>
                spans.Any(span => span.SpanId == root) && spans.Any(IsRegisterAtTheEdge), TimeSpan.FromSeconds(20));
            var register = Assert.Single(trace, span => span.SpanId == root);
            Assert.Equal(("wic", "register", ""), (register.Service, register.Name, register.ParentSpanId));
            Assert.Equal(root, Assert.Single(trace, IsRegisterAtTheEdge).ParentSpanId);
            Assert.Equal(
                tokens, trace.Count(span => span is { Service: "wic", Name: "request registration token" } && span.ParentSpanId == root));
        }
    }

    [Fact]
    public async Task PageThatGoesAway_StillSendsItsSpans()
    {
        await using var guest = await system.Chromium.OpenAsync(system.PageAddress);
        await guest.ContinueAsGuestAsync();
        await guest.WaitUntilOnlineAsync();
        await using var alice = await system.Chromium.OpenAsync(system.PageAddress);
        await alice.LogInAsync(DemoUser.Name, DemoUser.Password);
        await alice.WaitUntilOnlineAsync();
        await guest.DialAsync("alice");
        await alice.Get("accept").WaitForAsync();
        var traceId = await guest.TextAsync("trace-id");

        // The callee rings. The attempt ends when the caller leaves the page.
        await guest.Page.GotoAsync("about:blank");

        var trace = await system.Collector.WaitForAsync(traceId, spans =>
            spans.Any(span => span is { Service: "wic", Name: SetUp }), TimeSpan.FromSeconds(20));
        Assert.Equal("cancelled", Assert.Single(trace, span => span is { Service: "wic", Name: SetUp }).Attributes["error.type"]);
    }

    [Fact]
    public async Task CheckBeforeACall_IsATraceOfItsOwn()
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await wic.ContinueAsGuestAsync();
        await wic.WaitUntilOnlineAsync();
        await wic.Get("run-checks")
            .EvaluateAsync(
                "button => { for (let d = button.closest('details'); d; d = d.parentElement.closest('details')) d.open = true; }");
        var asked = await wic.Page.RunAndWaitForRequestAsync(() => wic.Get("run-checks").ClickAsync(), request =>
            request.Url.EndsWith("/api/turn-token", StringComparison.Ordinal));
        var traceId = asked.Headers["traceparent"].Split('-')[1];

        var trace = await system.Collector.WaitForAsync(traceId, spans =>
            spans.Any(span => span.Service == "wic") && spans.Any(IsAllocate), TimeSpan.FromSeconds(20));
        var check = Assert.Single(trace, span => span.Service == "wic");
        Assert.Equal(("check connection", ""), (check.Name, check.ParentSpanId));
        Assert.All(trace.Where(IsTokenRequestAtGateway), request => AssertDescends(trace, request, check));
    }

    private static bool IsRegisterAtTheEdge(SpanRecord span) => span is { Service: "ep-cscf", Name: "SIP REGISTER" };

    private static bool IsAllocate(SpanRecord span) => span is { Service: "turn", Name: "turn allocate" };

    private static bool IsTokenRequestAtGateway(SpanRecord span) =>
        span.Service == "wic-web" && span.Attributes.GetValueOrDefault("url.path") == "/api/turn-token"
            && span.Name.StartsWith("POST", StringComparison.Ordinal)
        && span.Source.Contains("AspNetCore", StringComparison.Ordinal);

    private static void AssertDescends(IReadOnlyList<SpanRecord> trace, SpanRecord span, SpanRecord ancestor)
    {
        var current = span;
        while (current.SpanId != ancestor.SpanId)
        {
            var parent = trace.FirstOrDefault(candidate => candidate.SpanId == current.ParentSpanId);
            Assert.True(parent is not null, $"{span} does not descend from {ancestor} in\n{string.Join('\n', trace)}");
            current = parent;
        }
    }
}
