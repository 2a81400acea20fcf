using System.Diagnostics.Metrics;
using OpenTelemetry;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Ims;

/// <summary>
/// The metrics <c>wwsf.pool.taken</c> and <c>wwsf.pool.size</c>. The count needs a request to the store, so it is refreshed every
/// few seconds. If the store does not answer, the last count remains.
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
        meter.CreateObservableGauge("wwsf.pool.taken", () => _taken, description: "Identities that are leased or in quarantine");
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, _time);
        do
        {
            try
            {
                // It belongs to no request, so it needs no trace.
                using var untraced = SuppressInstrumentationScope.Begin();
                _taken = await _leases.CountTakenAsync();
            }
            catch (LeasesUnavailableException)
            {
                // The health check and the log of the pool report it.
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
