using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Sessions;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>The search for ended sessions, which the WWSF does in the background.</summary>
internal static class SessionSweeps
{
    /// <summary>Lets one replica do it. It takes 40 seconds of the clock at most.</summary>
    public static async Task RunAsync(ObservedTime time)
    {
        // A sweep that runs already may have missed a change. The second one did not.
        for (var sweeps = 0; sweeps < 2; sweeps++)
        {
            var before = time.Timers(SessionSweep.Interval);
            time.Advance(SessionSweep.Interval);
            await Eventually.IsTrueAsync(() => time.Timers(SessionSweep.Interval) > before);
        }
    }
}
