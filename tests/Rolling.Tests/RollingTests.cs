using System.Diagnostics;

namespace WebRtcIms.Rolling.Tests;

/// <summary>
/// Every process is stopped with SIGTERM and started again, one after the other, under live calls: first the parts behind HAProxy, then
/// the TURN nodes (docs/operations.md).
/// </summary>
public sealed class RollingTests(ITestOutputHelper output)
{
    private const int Probers = 2;

    private readonly long _began = Stopwatch.GetTimestamp();

    /// <summary>A user tries again after a second. A second failure would be a failure for longer.</summary>
    [Fact]
    public async Task RollingRestart_UnderLiveCalls_NoSetUpFailsTwice_AndCallsEndOnlyAtTheDrainDeadline() =>
        Assert.False((await RestartAllAsync(calls: 20, pauseAfterFailure: TimeSpan.FromSeconds(1))).FailedAgain);

    /// <summary>Measured on demand (docs/operations.md), because other processes at the same time make it worse.</summary>
    [Fact(Explicit = true)]
    public async Task RollingRestart_UnderAHundredCalls_SetUpsFailForASecondAtMost()
    {
        var outcome = await RestartAllAsync(calls: 100, pauseAfterFailure: TimeSpan.FromMilliseconds(50));
        Assert.True(outcome.LongestFailure < TimeSpan.FromSeconds(1), $"{outcome}");
    }

    private async Task<Outcome> RestartAllAsync(int calls, TimeSpan pauseAfterFailure)
    {
        await using var system = await RollingSystem.StartAsync();
        List<LiveCall> live = [];
        List<Prober> probers = [];
        try
        {
            for (var i = 0; i < calls; i++) live.Add(await LiveCall.StartAsync(system, node: 1 + i % 2));
            for (var i = 0; i < Probers; i++) probers.Add(new Prober(system, pauseAfterFailure));
            probers.ForEach(prober => prober.Start());

            // The next process stops when calls can be set up again. So a failure belongs to one restart.
            foreach (var replica in RollingSystem.WebParts.SelectMany(part => (string[])[$"{part}-1", $"{part}-2"]))
            {
                await RestartAsync(system, replica);
                await Task.WhenAll(probers.Select(prober => prober.UntilOneWorksAsync()));
            }

            foreach (var node in new[] { 1, 2 }) await RestartTurnAsync(system, live, node);

            var outcome = new Outcome(await Task.WhenAll(probers.Select(prober => prober.StopAsync())));
            Report($"{calls} calls: {outcome}");
            foreach (var failure in outcome.Failures)
            {
                var at = Stopwatch.GetElapsedTime(_began, failure.Began);
                Report($"at {at.TotalSeconds:0.0} s, failed after {failure.Took.TotalMilliseconds:0} ms: {failure.Error}");
            }

            Report($"a page was offline for {live.Max(call => call.LongestOffline).TotalMilliseconds:0} ms at the longest");
            Assert.Equal(0, (await Task.WhenAll(live.Select(call => call.EndAsync()))).Sum());
            return outcome;
        }
        finally
        {
            foreach (var prober in probers) await prober.DisposeAsync();
            foreach (var call in live) await call.DisposeAsync();
        }
    }

    private async Task RestartAsync(RollingSystem system, string replica)
    {
        var began = Stopwatch.StartNew();
        var at = Stopwatch.GetElapsedTime(_began);
        await system.SignalAsync(replica);
        await system.RestartAsync(replica);
        Report($"at {at.TotalSeconds:0.0} s, {replica}: {began.Elapsed.TotalSeconds:0.0} s");
    }

    // The calls of the node go on until its deadline, and then through the other one. The calls of the other lose nothing.
    private async Task RestartTurnAsync(RollingSystem system, List<LiveCall> live, int node)
    {
        var began = Stopwatch.GetTimestamp();
        await system.SignalAsync($"turn-{node}");
        // The node looks at the deadline five times a second, from the moment when it has the signal.
        var promised = began + (long)(RollingSystem.DrainDeadline.TotalSeconds * Stopwatch.Frequency);
        await system.UntilEndedAsync($"turn-{node}");
        var drained = Stopwatch.GetElapsedTime(began);
        Assert.InRange(drained, RollingSystem.DrainDeadline, TimeSpan.MaxValue);
        var moving = live.Where(call => call.Node == node).ToList();
        var lost = await Task.WhenAll(moving.Select(call => call.MoveAsync(3 - node, promised)));
        Assert.Equal(0, lost.Sum());
        await system.RestartAsync($"turn-{node}");
        Report($"turn-{node}: drained for {drained.TotalSeconds:0.0} s, and {moving.Count} calls went on at the other node");
        Report($"turn-{node}: {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s");
    }

    private void Report(FormattableString line) => output.WriteLine(FormattableString.Invariant(line));
}
