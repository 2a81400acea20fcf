using System.Diagnostics;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Sessions;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>Waits for work in the background of the WWSF.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static async Task IsTrueAsync(Func<Task<bool>> condition)
    {
        var start = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Limit, "The condition is still false.");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken);
        }
    }

    public static Task IsTrueAsync(Func<bool> condition) => IsTrueAsync(() => Task.FromResult(condition()));

    /// <summary>Lets one replica look for ended sessions. It takes 40 seconds of the clock at most.</summary>
    public static async Task SweptAsync(ObservedTime time)
    {
        // A sweep that runs already may have missed a change. The second one did not.
        for (var sweeps = 0; sweeps < 2; sweeps++)
        {
            var before = time.Timers(SessionSweep.Interval);
            time.Advance(SessionSweep.Interval);
            await IsTrueAsync(() => time.Timers(SessionSweep.Interval) > before);
        }
    }
}
