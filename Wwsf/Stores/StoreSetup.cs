using WebRtcIms.Stores;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Stores;

/// <summary>Brings the tables up to date before the first request.</summary>
internal sealed class StoreSetup(IServiceScopeFactory scopes, WwsfSettings settings) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<WwsfStore>().MigrateAsync(settings.Store, cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
