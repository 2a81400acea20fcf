using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.EndToEnd.Tests.Telemetry;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>One trace from the click to the relay.</summary>
[Collection(RunningSystem.Collection)]
public sealed class TraceTests(RunningSystem system)
{
    [Fact]
    public async Task Call_MakesOneTraceFromTheClickToTheAllocation()
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress);
        await wic.ContinueAsGuestAsync();
        await wic.ChooseTransportAsync("udp");
        await wic.CallAsync();
        await wic.WaitForMediaAsync();
        var traceId = await wic.TextAsync("trace-id");
        await wic.HangUpAsync();

        var trace = await system.Collector.WaitForAsync(
            traceId, spans => spans.Any(IsAllocate) && spans.Any(IsTokenRequestAtGateway), TimeSpan.FromSeconds(20));

        // Page → gateway → WWSF → WAF → (through the grant) TURN → Redis: each a descendant of the one before.
        var gateway = Assert.Single(trace, IsTokenRequestAtGateway);
        var wwsf = Assert.Single(trace, span => span.Service == "wwsf" && span.Name.Contains("turn-token", StringComparison.Ordinal));
        var waf = Assert.Single(trace, span => span.Service == "waf" && span.Attributes.GetValueOrDefault("ims.step") == "5");
        Assert.NotEmpty(gateway.ParentSpanId);
        Assert.DoesNotContain(trace, span => span.SpanId == gateway.ParentSpanId);
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

        foreach (var step in new[] { "3", "4", "5", "8" })
            Assert.Contains(trace, span => span.Attributes.GetValueOrDefault("ims.step") == step);
        Assert.All(trace.Where(span => span.SpanId != gateway.SpanId), span =>
            Assert.True(trace.Any(parent => parent.SpanId == span.ParentSpanId), $"orphan: {span}"));
    }

    private static bool IsAllocate(SpanRecord span) => span is { Service: "turn", Name: "turn allocate" };

    private static bool IsTokenRequestAtGateway(SpanRecord span) =>
        span.Service == "wic-web" && span.Attributes.GetValueOrDefault("url.path") == "/api/turn-token" && span.Name.StartsWith("POST", StringComparison.Ordinal)
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
