using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.ServiceDefaults.Tests;

public sealed class IdleMemoryTests
{
    private const int Peak = 128 << 20;

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public async Task HeapOfAPeak_IsGivenBack_WhenTheProcessIsQuiet()
    {
        var time = new FakeTimeProvider();
        using var memory = new IdleMemory(time);
        await memory.StartAsync(TestContext.Current.CancellationToken);
        Fill();
        GC.Collect();
        var before = GC.GetGCMemoryInfo(GCKind.FullBlocking);
        Assert.InRange(before.TotalCommittedBytes, Peak / 4 * 3, long.MaxValue);

        // The first tick counts the allocations of the peak, the second one none.
        var info = before;
        for (var i = 0; i < 1000 && info.TotalCommittedBytes > before.TotalCommittedBytes - (Peak / 2); i++)
        {
            time.Advance(TimeSpan.FromSeconds(15));
            await Task.Delay(10, TestContext.Current.CancellationToken);
            info = GC.GetGCMemoryInfo(GCKind.FullBlocking);
        }

        Assert.InRange(info.TotalCommittedBytes, 0, before.TotalCommittedBytes - (Peak / 2));
        await memory.StopAsync(TestContext.Current.CancellationToken);
    }

    // Small objects: the runtime gives back the memory of large ones by itself.
    private static void Fill()
    {
        List<byte[]> peak = [];
        for (var i = 0; i < Peak / 1000; i++) peak.Add(new byte[1000]);
        GC.Collect();
        GC.KeepAlive(peak);
    }
}
