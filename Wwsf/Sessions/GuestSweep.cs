using OpenTelemetry;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>
/// Looks every few seconds which guests have registered: see <see cref="GuestIdentities"/>. Each replica does it. All its steps may be
/// repeated.
/// </summary>
internal sealed partial class GuestSweep(IServiceScopeFactory scopes, TimeProvider time, ILogger<GuestSweep> logger) : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                // It belongs to no request, so it needs no trace.
                using var untraced = SuppressInstrumentationScope.Begin();
                await using var scope = scopes.CreateAsyncScope();
                await scope.ServiceProvider.GetRequiredService<GuestIdentities>().SweepAsync(stoppingToken);
            }
            catch (Exception error) when (error is not OutOfMemoryException && !stoppingToken.IsCancellationRequested)
            {
                LogFailed(error.GetType().Name);
            }
        }
    }

    [LoggerMessage(1, LogLevel.Error, "Guests without a registration cannot be looked for: {Error}. The WWSF retries.")]
    private partial void LogFailed(string error);
}
