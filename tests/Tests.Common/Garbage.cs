namespace WebRtcIms.Tests.Common;

/// <summary>Octets that code allocates on the managed heap.</summary>
public static class Garbage
{
    private const int Runs = 4;

    /// <summary>
    /// The octets that the thread allocates in one run, as the least of several. A collection or a method that is compiled again during a
    /// run adds to that run. Code that allocates does so in each run.
    /// </summary>
    public static long Of(Action run)
    {
        var least = long.MaxValue;
        for (var i = 0; i < Runs; i++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            run();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
