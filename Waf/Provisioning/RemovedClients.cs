using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using OpenIddict.EntityFrameworkCore.Models;
using OpenTelemetry;
using WebRtcIms.Contracts;
using WebRtcIms.Waf.Administration;
using WebRtcIms.Waf.Audit;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Clients.Registration;

namespace WebRtcIms.Waf.Provisioning;

/// <summary>
/// Revokes the tokens of clients that the settings do not name any more, and deletes the clients. <see cref="ClientManager"/> refuses
/// them before that. Clients that registered themselves stay. A replica with older settings may start after one with newer settings,
/// and delete a new client: so each replica writes its clients again when they are not there.
/// </summary>
internal sealed partial class RemovedClients(
    IServiceScopeFactory scopes, IReadOnlyList<ClientSettings> clients, Revoker revoker, TimeProvider time, ILogger<RemovedClients> logger)
    : BackgroundService
{
    /// <summary>The time between two looks for clients that another replica deleted.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(2);

    private readonly HashSet<string> _logged = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (!await TryAsync(RemoveAsync, stoppingToken)) await Task.Delay(RetryInterval, time, stoppingToken);
            while (await timer.WaitForNextTickAsync(stoppingToken)) await TryAsync(RestoreAsync, stoppingToken);
        }
        catch (OperationCanceledException)
        {
            // The process stops.
        }
    }

    private async Task<bool> TryAsync(Func<IServiceProvider, CancellationToken, Task<bool>> work, CancellationToken stoppingToken)
    {
        using var untraced = SuppressInstrumentationScope.Begin();
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            return await work(scope.ServiceProvider, stoppingToken);
        }
        catch (Exception error) when (error is DbException or DbUpdateException or InvalidOperationException or TimeoutException)
        {
            LogStoreAway(error.GetType().Name);
            return false;
        }
    }

    /// <summary>False when Redis does not answer: the tokens of a client are revoked before the client is deleted.</summary>
    private async Task<bool> RemoveAsync(IServiceProvider services, CancellationToken stoppingToken)
    {
        var (manager, registry) = (services.GetRequiredService<ClientManager>(), services.GetRequiredService<ClientRegistry>());
        List<OpenIddictEntityFrameworkCoreApplication> removed = [];
        await foreach (var client in manager.ListAsync(null, null, stoppingToken))
        {
            if (await manager.IsRemovedAsync(client, stoppingToken)) removed.Add(client);
        }

        foreach (var client in removed)
        {
            if (_logged.Add(client.ClientId!)) LogRemoved(client.ClientId!);
            var retention = ClientRegistry.DeletionLimit + TokenLimits.LongestLifetime;
            if (revoker.HasRedis && !await revoker.TryRevokeAsync(TurnRevocations.OfClient(client.ClientId!), retention)) return false;
            await registry.DeleteAsync(client, AuditAction.Settings, address: null);
        }

        return true;
    }

    private async Task<bool> RestoreAsync(IServiceProvider services, CancellationToken stoppingToken)
    {
        var manager = services.GetRequiredService<ClientManager>();
        foreach (var client in clients)
        {
            if (await manager.FindForUpdateAsync(client.ClientId, stoppingToken) is not null) continue;
            LogRestored(client.ClientId);
            await ClientProvisioning.ProvisionAsync(manager, client, stoppingToken);
        }

        return true;
    }

    [LoggerMessage(1, LogLevel.Warning,
        "The client {ClientId} is not in Waf:Clients any more. It is refused, its tokens are revoked, and it is deleted")]
    private partial void LogRemoved(string clientId);

    [LoggerMessage(2, LogLevel.Warning,
        "Another replica, which does not have the client {ClientId} in its settings, deleted it. It is written again")]
    private partial void LogRestored(string clientId);

    [LoggerMessage(3, LogLevel.Warning, "Clients in the store cannot be compared with the settings now ({Reason})")]
    private partial void LogStoreAway(string reason);
}
