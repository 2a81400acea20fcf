namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Gives memory back to the system after a peak. The runtime collects when something allocates, so a process that is quiet after a flood
/// would keep the heap of the flood. A process that allocates is left alone: the runtime collects there, and a collection that gives memory
/// back stops all threads for tens of milliseconds.
/// </summary>
public sealed class IdleMemory(TimeProvider time) : BackgroundService
{
    private const long Worthwhile = 16 << 20;
    private const long AllocatedWhenQuiet = 8 << 20;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    private long _allocated;
    private long _kept;

    /// <summary>Collects if the heap has grown since the last time, and the process has hardly allocated since the last call.</summary>
    public void ReleaseIfQuiet()
    {
        var allocated = GC.GetTotalAllocatedBytes();
        var isQuiet = allocated - _allocated < AllocatedWhenQuiet;
        _allocated = allocated;
        if (!isQuiet || Committed - _kept < Worthwhile) return;
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        _kept = Committed;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) ReleaseIfQuiet();
        }
        catch (OperationCanceledException)
        {
            // The process stops.
        }
    }

    private static long Committed => GC.GetGCMemoryInfo(GCKind.Any).TotalCommittedBytes;
}
