using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.ServiceDefaults.Tests;

/// <summary>Tests that read the size of the heap. Tests beside them would change it.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class HeapTests
{
    public const string Name = "the heap";
}

[Collection(HeapTests.Name)]
public sealed class IdleMemoryTests
{
    private const int Peak = 64 << 20;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public async Task HeapThatGrew_IsCollectedOnce_WhenTheProcessIsQuiet()
    {
        var time = new FakeTimeProvider();
        using var memory = new IdleMemory(time);
        await memory.StartAsync(Cancel);
        await QuietAsync(time, ticks: 20);
        var peak = Fill();
        GC.Collect();
        var before = GC.CollectionCount(GC.MaxGeneration);

        await QuietAsync(time, ticks: 20);
        Assert.Equal(before + 1, GC.CollectionCount(GC.MaxGeneration));
        var info = GC.GetGCMemoryInfo(GCKind.FullBlocking);
        Assert.True(info.Compacted);

        GC.KeepAlive(peak);
        await memory.StopAsync(Cancel);
    }

    [Fact]
    [Requirement("SEC-1")]
    public void ProcessAtWork_IsNotStopped()
    {
        using var memory = new IdleMemory(TimeProvider.System);
        memory.ReleaseIfQuiet();
        memory.ReleaseIfQuiet();
        var peak = Fill();
        GC.Collect();
        var before = GC.GetGCMemoryInfo(GCKind.FullBlocking).Index;

        // What the peak and the array have allocated is work.
        memory.ReleaseIfQuiet();
        GC.KeepAlive(new byte[32 << 20]);
        memory.ReleaseIfQuiet();
        Assert.Equal(before, GC.GetGCMemoryInfo(GCKind.FullBlocking).Index);

        memory.ReleaseIfQuiet();
        Assert.NotEqual(before, GC.GetGCMemoryInfo(GCKind.FullBlocking).Index);
        GC.KeepAlive(peak);
    }

    private static async Task QuietAsync(FakeTimeProvider time, int ticks)
    {
        for (var i = 0; i < ticks; i++)
        {
            time.Advance(TimeSpan.FromSeconds(15));
            await Task.Delay(10, Cancel);
        }
    }

    private static List<byte[]> Fill()
    {
        List<byte[]> peak = [];
        for (var i = 0; i < Peak / 1000; i++) peak.Add(new byte[1000]);
        return peak;
    }
}
