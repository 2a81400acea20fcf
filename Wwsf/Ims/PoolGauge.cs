using System.Diagnostics.Metrics;
using OpenTelemetry;

namespace WebRtcIms.Wwsf.Ims;

/// <summary>
/// <c>wwsf.pool.taken</c> of <c>wwsf.pool.size</c>: what is left for the next guest. Counted every few seconds, since the store is asked
/// for it; while it does not answer, the last count stands.
/// </summary>
internal sealed class PoolGauge : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private readonly ILeaseStore _leases;
    private readonly TimeProvider _time;
    private int _taken;

    public PoolGauge(ILeaseStore leases, WwsfSettings settings, TimeProvider time, IMeterFactory factory)
    {
        (_leases, _time) = (leases, time);
        var meter = factory.Create("WebRtcIms.Wwsf");
        meter.CreateObservableGauge("wwsf.pool.size", () => settings.Pool.Size, description: "Identities in the pool of guests");
        meter.CreateObservableGauge("wwsf.pool.taken", () => _taken, description: "Identities of the pool that are leased or in quarantine");
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, _time);
        do
        {
            try
            {
                // Nobody's request, so no trace.
                using var untraced = SuppressInstrumentationScope.Begin();
                _taken = await _leases.CountTakenAsync();
            }
            catch (LeasesUnavailableException)
            {
                // Health and the log of the pool say so.
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
