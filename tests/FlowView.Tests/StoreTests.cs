using Microsoft.Extensions.Time.Testing;
using WebRtcIms.FlowView.Query;
using WebRtcIms.FlowView.Settings;
using WebRtcIms.FlowView.Store;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.FlowView.Tests;

/// <summary>The store stays within its limits for any input, and evicts whole traces.</summary>
public sealed class StoreTests
{
    private static readonly CallQuery Everything = new() { Other = true };

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void OneSpanTooMany_TakesTheOldestTraceOutAsAWhole()
    {
        var store = StoreOf(new FlowViewSettings { Spans = 30 });
        for (var trace = 1; trace <= 10; trace++) store.Add([Span(trace, 1), Span(trace, 2), Span(trace, 3)]);
        Assert.Equal((10, 30), (store.Usage.Traces, store.Usage.Spans));

        store.Add([Span(11, 1)]);

        Assert.Empty(store.Find(1));
        Assert.Equal(3, store.Find(2).Count);
        Assert.Equal((10, 28, 3L), (store.Usage.Traces, store.Usage.Spans, store.Usage.EvictedSpans));
    }

    [Fact]
    public void OneEndlessTrace_CannotPushOutTheOthers()
    {
        var store = StoreOf(new FlowViewSettings { Spans = 100 });
        store.Add([Span(1, 1)]);

        var refused = store.Add([.. Enumerable.Range(1, 500).Select(span => Span(2, (ulong)span))]);

        Assert.Equal(490, refused);
        Assert.Single(store.Find(1));
        Assert.Equal(10, store.Find(2).Count);
    }

    [Fact]
    public void ManyLargeSpans_StayWithinTheMemoryBound()
    {
        var settings = new FlowViewSettings { MemoryMegabytes = 10 };
        var store = StoreOf(settings);
        for (var trace = 1; trace <= 500; trace++) store.Add([Span(trace, 1, text: new string('x', 100_000))]);

        Assert.InRange(store.Usage.Size, 1, settings.TraceOctets);
        Assert.InRange(store.Usage.Traces, 30, 60);
        Assert.Single(store.Find(500));
    }

    [Fact]
    public void SpanLargerThanItsShare_IsRefusedAndLeavesNoEmptyTrace()
    {
        var store = StoreOf(new FlowViewSettings { MemoryMegabytes = 1 });

        Assert.Equal(1, store.Add([Span(1, 1, text: new string('x', 1_000_000))]));

        Assert.Empty(store.Search(Filter(Everything), CallSummary.Of, 10).Page);
    }

    [Fact]
    public void SpanSentTwice_IsKeptOnce()
    {
        var store = StoreOf(new FlowViewSettings());
        store.Add([Span(1, 1), Span(1, 2)]);
        var once = store.Usage;

        store.Add([Span(1, 1), Span(1, 2)]);

        Assert.Equal(once, store.Usage);
    }

    [Fact]
    public void Logs_KeepTheLatest()
    {
        var store = new LogStore(new FlowViewSettings { Logs = 3 });
        store.Add(Enumerable.Range(1, 10).Select(number => new LogEntry(0, (ulong)number, 9, $"line {number}", "", 1, 0, Source, [])));

        Assert.Equal(["line 8", "line 9", "line 10"], store.Of(1).Select(entry => entry.Text));
    }

    [Fact]
    public void HundredThousandSpans_AreSearchedCorrectly()
    {
        var store = StoreOf(new FlowViewSettings { Spans = 100_000 });
        for (var trace = 1; trace <= 10_000; trace++)
        {
            var number = trace;
            store.Add(
                [.. Enumerable.Range(1, 10)
                .Select(span => Span(number, (ulong)span, error: number % 1000 == 0 && span == 1, text: $"value {number}"))]);
        }
        Assert.Equal(100_000, store.Usage.Spans);
        Assert.Equal(0, store.Usage.EvictedSpans);

        var (page, matches) = store.Search(Filter(Everything), CallSummary.Of, 50);
        Assert.Equal((50, 10_000), (page.Count, matches));
        Assert.Equal(Json.TraceId(10_000), page[0].Id);

        Assert.Equal(10, store.Search(Filter(Everything with { Outcome = "failed" }), CallSummary.Of, 50).Matches);
        var found = Assert.Single(store.Search(Filter(Everything with { Attribute = "text=value 4711" }), CallSummary.Of, 50).Page);
        Assert.Equal((Json.TraceId(4711), 10), (found.Id, found.Spans));
    }

    [Fact]
    [Requirement("SEC-3")]
    public void SpansFromTheFuture_DoNotPushLaterCallsOffTheFirstPage()
    {
        const ulong year2262 = 9_223_372_036_000_000_000;
        var store = StoreOf(new FlowViewSettings());
        for (var forged = 1; forged <= 100; forged++) store.Add([Span(forged, 1) with { Start = year2262, End = year2262 + 1 }]);

        store.Add([Span(1000, 1)]);

        Assert.Equal(Json.TraceId(1000), store.Search(Filter(Everything), CallSummary.Of, 50).Page[0].Id);
    }

    [Fact]
    public void TraceThatIsNoCall_IsForgottenAfterMinutes_AndACallIsKept()
    {
        var store = StoreOf(new FlowViewSettings());
        store.Add([Span(1, 1), Span(2, 1) with { Name = "set up call" }]);

        _time.Advance(TraceStore.ShortLife);
        store.Sweep();
        Assert.Single(store.Find(1));
        _time.Advance(TimeSpan.FromSeconds(1));
        store.Sweep();

        Assert.Empty(store.Find(1));
        Assert.Single(store.Find(2));
        Assert.Equal((1, 1, 1L), (store.Usage.Traces, store.Usage.Spans, store.Usage.EvictedSpans));
    }

    [Fact]
    public void FloodOfTracesThatAreNoCalls_IsForgottenAfterAMinute()
    {
        var store = StoreOf(new FlowViewSettings { Spans = 1000 });
        store.Add([.. Enumerable.Range(1, 500).Select(stranger => Span(stranger, 1)), Span(501, 1) with { Name = "set up call" }]);

        _time.Advance(TraceStore.UntilComplete);
        store.Sweep();
        Assert.Equal(501, store.Usage.Traces);
        _time.Advance(TimeSpan.FromSeconds(1));
        store.Sweep();

        // The youngest are few enough to stay until they are five minutes old.
        Assert.Equal(20, store.Usage.Traces);
        Assert.Single(store.Find(501));
    }

    [Fact]
    public void FloodOfTracesThatAreNoCalls_LeavesTheCalls()
    {
        var store = StoreOf(new FlowViewSettings { Spans = 1000 });
        for (var call = 1; call <= 400; call++) store.Add([Span(call, 1) with { Name = "set up call" }]);

        // Within a minute the store cannot know whether a trace becomes a call, so the flood has the rest of the room.
        for (var stranger = 1000; stranger < 5000; stranger++)
        {
            store.Add([Span(stranger, 1)]);
            _time.Advance(TraceStore.UntilComplete / 500);
        }

        Assert.Equal(400, store.Search(Filter(new CallQuery()), CallSummary.Of, 1000).Matches);
        Assert.InRange(store.Usage.Spans, 900, 1000);
    }

    [Fact]
    public void EmptyStore_CountsNothing()
    {
        var store = StoreOf(new FlowViewSettings());
        store.Add([Span(1, 1), Span(2, 1)]);
        _time.Advance(TraceStore.ShortLife * 2);

        store.Sweep();

        Assert.Equal((0, 0, 0L), (store.Usage.Traces, store.Usage.Spans, store.Usage.Size));
    }

    [Fact]
    public void TextsThatNeverRepeat_DoNotFillThePool()
    {
        var pool = new TextPool();
        for (var number = 0; number < TextPool.MaxTexts + 10; number++) pool.Share($"path {number}");

        var first = new string("turn.kid");

        Assert.Same(pool.Share(first), pool.Share(new string("turn.kid")));
    }

    private TraceStore StoreOf(FlowViewSettings settings) => new(settings, CallQuery.IsCall, _time);

    private static Func<Trace, bool> Filter(CallQuery query) => query.FilterWith(new LogStore(new FlowViewSettings()));

    private static Source Source { get; } = new("waf", "waf-1", []);

    private static Span Span(int trace, ulong span, bool error = false, string text = "") => new(
        (UInt128)trace, span, span == 1 ? 0UL : 1UL, "work", SpanKind.Internal, Samples.Start + (ulong)trace,
        Samples.Start + (ulong)trace + 1, Source, "",
        [new("text", text)], [], [], error, "");
}
