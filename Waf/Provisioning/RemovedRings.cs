using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using OpenTelemetry;
using WebRtcIms.Contracts;
using WebRtcIms.Waf.Audit;
using WebRtcIms.Waf.Rings;
using WebRtcIms.Waf.Stores;

namespace WebRtcIms.Waf.Provisioning;

/// <summary>
/// Deletes the keys of rings that the settings do not name any more. No token is issued with them, and they are not sent. A replica with
/// older settings may still use a ring, and then adds a next key in time: so a ring is deleted when the time of its last key is over.
/// </summary>
internal sealed partial class RemovedRings(
    IServiceScopeFactory scopes, KeyRings rings, AuditLog audit, TimeProvider time, ILogger<RemovedRings> logger) : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    /// <summary>The longest lead time of a ring. The settings of a removed one are not known.</summary>
    public static readonly TimeSpan LongestLeadTime = TimeSpan.FromDays(1);

    private readonly HashSet<string> _logged = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            do await DeleteAsync(stoppingToken);
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException)
        {
            // The process stops.
        }
    }

    private async Task DeleteAsync(CancellationToken stoppingToken)
    {
        using var untraced = SuppressInstrumentationScope.Begin();
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            var store = scope.ServiceProvider.GetRequiredService<WafDatabase>();
            var named = rings.All.Where(ring => ring.Rotates).Select(ring => ring.Settings.Ring).ToList();
            var rows = await store.Keys.Where(key => !named.Contains(key.Ring)).ToListAsync(stoppingToken);
            foreach (var ring in rows.GroupBy(key => key.Ring))
            {
                var end = ring.Max(EndOf) + LongestLeadTime;
                if (_logged.Add(ring.Key)) LogRemoved(ring.Key, end);
                if (end > time.GetUtcNow()) continue;
                await DeleteAsync(store, [.. ring], stoppingToken);
            }
        }
        catch (Exception error) when (error is DbException or DbUpdateException or InvalidOperationException or TimeoutException)
        {
            LogStoreAway(error.GetType().Name);
        }
    }

    // The row of a revoked key stays as long as its revocation, so that a ring that comes back does not use its name.
    private static DateTimeOffset EndOf(StoredKey key)
    {
        var end = DateTimeOffset.FromUnixTimeSeconds(key.CurrentAt + key.TokenLifetime);
        return key.RevokedAt is { } revoked && DateTimeOffset.FromUnixTimeSeconds(revoked) + TokenLimits.RevokedKeyRetention is var later
            && later > end ? later : end;
    }

    private async Task DeleteAsync(WafDatabase store, List<StoredKey> keys, CancellationToken stoppingToken)
    {
        var entries = keys.ConvertAll(key => audit.Create(AuditAction.Settings, RingChange.Deleted, key.Kid, address: null));
        store.RemoveRange(keys);
        store.AddRange(entries);
        await store.SaveChangesAsync(stoppingToken);
        entries.ForEach(audit.Log);
    }

    [LoggerMessage(1, LogLevel.Warning,
        "The settings do not name the key ring {Ring} any more: its keys are not used. They are deleted after {End:u}, unless another "
        + "replica uses them")]
    private partial void LogRemoved(string ring, DateTimeOffset end);

    [LoggerMessage(2, LogLevel.Warning, "Key rings in the store cannot be compared with the settings now ({Reason})")]
    private partial void LogStoreAway(string reason);
}
