namespace WebRtcIms.FlowView.Store;

/// <summary>Lets the store forget what is not worth keeping, also while no spans arrive.</summary>
internal sealed class Sweeper(TraceStore traces, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) traces.Sweep();
        }
        catch (OperationCanceledException)
        {
            // The process stops.
        }
    }
}
