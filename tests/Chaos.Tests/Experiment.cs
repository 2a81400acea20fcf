using System.Diagnostics;
using WebRtcIms.Chaos.Tests.Calls;
using WebRtcIms.Chaos.Tests.Tokens;

namespace WebRtcIms.Chaos.Tests;

/// <summary>One fault under live calls, set-ups and forged tokens.</summary>
internal static class Experiment
{
    private const string Report = "CHAOS_REPORT";

    // Generous: a machine that runs other tests is slow. The figures are in the report.
    private static readonly TimeSpan RecoveryLimit = TimeSpan.FromSeconds(30);

    /// <summary>Runs it, writes its figures, and asserts that no call was lost and no token was wrongly accepted.</summary>
    public static async Task RunAsync(ChaosSystem system, Fault fault)
    {
        // A part that ended in an earlier row is named, and not only the connection that it refuses.
        system.AssertRunning();
        await using var calls = await LiveCalls.StartAsync(system);
        using var forgeries = await Forgeries.PrepareAsync(system);
        await using var users = SetUps.OfUser(system.Gateway);
        await using var guests = SetUps.OfGuests(system.Gateway);

        await fault.ActAsync();
        var acted = Stopwatch.GetTimestamp();
        var healed = acted;
        try
        {
            await forgeries.ShowDuringAsync(fault.IsOfRedis);
            do await forgeries.ShowAsync();
            while (Stopwatch.GetElapsedTime(acted) < fault.Duration);
        }
        finally
        {
            healed = Stopwatch.GetTimestamp();
            await fault.HealAsync();
        }

        var recovered = await Task.WhenAll(RecoverAsync(users, healed), RecoverAsync(guests, healed));
        await forgeries.ShowAfterAsync(fault.IsOfRedis);
        if (fault.WaitsForSignOut) await forgeries.ShowSignedOutAsync();
        var verdicts = await calls.EndAsync();

        var lost = Array.FindAll(verdicts, call => call.Problem is not null || (call.Missing > 0 && !fault.EndsRelays));
        var figures = new Figures(
            fault.Name, Stopwatch.GetElapsedTime(acted, healed), verdicts.Length - lost.Length, lost.Length,
            verdicts.Sum(call => call.Sent), verdicts.Sum(call => call.Missing), verdicts.Max(call => call.Silence), forgeries.Shown,
            forgeries.Accepted.Count, forgeries.InWindow.Count, recovered[0], recovered[1]);
        Write(figures, forgeries, lost);
        system.AssertRunning();
        Assert.Empty(forgeries.Accepted);
        Assert.Empty(lost);
    }

    private static async Task<Recovery> RecoverAsync(SetUps setUps, long healed)
    {
        if (await setUps.RecoverAsync(healed, RecoveryLimit) is not { } after)
        {
            Assert.Fail($"no set-ups {RecoveryLimit} after the fault: {setUps.LastError}");
            return null;
        }

        return new Recovery(setUps.Count.Failed, setUps.Count.All, setUps.FailedFor, after);
    }

    private static void Write(Figures figures, Forgeries forgeries, IEnumerable<Verdict> lost)
    {
        var output = TestContext.Current.TestOutputHelper!;
        output.WriteLine(figures.ToString());
        foreach (var name in forgeries.InWindow) output.WriteLine($"accepted in the window: {name}");
        foreach (var call in lost) output.WriteLine($"lost: {call}");
        if (Environment.GetEnvironmentVariable(Report) is { Length: > 0 } file) File.AppendAllText(file, $"{figures}\n");
    }
}
