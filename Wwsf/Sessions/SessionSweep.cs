using System.Collections.Concurrent;
using OpenTelemetry;
using WebRtcIms.Wwsf.Ims;
using WebRtcIms.Wwsf.Stores;
using WebRtcIms.Wwsf.Telemetry;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>
/// Looks every 20 seconds for sessions whose user was deleted, locked by an operator, or changed, and ends them. It also retries to
/// notify Redis and the eP-CSCF of ended sessions. Each replica does it: all its steps may be repeated.
/// </summary>
internal sealed partial class SessionSweep(
    IServiceScopeFactory scopes, SessionRevocations revocations, AuditLog audit, TimeProvider time, ILogger<SessionSweep> logger)
    : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(20);

    private const int BatchSize = 500;
    private const int Parallelism = 8;

    // An eP-CSCF that does not answer is not asked about every session.
    private const int MaxFailures = 8;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await SweepAsync(stoppingToken);
            }
            catch (Exception error) when (error is not OutOfMemoryException && !stoppingToken.IsCancellationRequested)
            {
                LogFailed(error.GetType().Name);
            }
            await Task.Delay(Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        // It belongs to no request, so it needs no trace.
        using var untraced = SuppressInstrumentationScope.Begin();
        await using var scope = scopes.CreateAsyncScope();
        var records = scope.ServiceProvider.GetRequiredService<SessionRecords>();
        var registrations = scope.ServiceProvider.GetRequiredService<Registrations>();
        foreach (var (sid, userId, reason) in await records.EndRemovedAsync()) audit.SessionEnded(sid, userId, reason);
        await records.DeleteExpiredAsync();
        await scope.ServiceProvider.GetRequiredService<FailedLogins>().DeleteExpiredAsync();
        while (await NotifyAsync(records, registrations, cancellationToken))
        {
            // The next batch.
        }
    }

    /// <summary>Whether there may be more to do now.</summary>
    private async Task<bool> NotifyAsync(SessionRecords records, Registrations registrations, CancellationToken cancellationToken)
    {
        var pending = await records.FindPendingAsync(BatchSize);
        var (revoked, unregistered, failures) = (new ConcurrentBag<string>(), new ConcurrentBag<string>(), 0);
        await Parallel.ForEachAsync(
            pending,
            new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken },
            async (row, _) =>
            {
                if (row.IsRevocationPending && await IsRevokedAsync(row)) revoked.Add(row.Sid);
                if (!row.IsRegistrationPending || Volatile.Read(ref failures) >= MaxFailures) return;
                if (await registrations.EndAsync(row.Sid, revocations.EndOfTokens(time.GetUtcNow()))) unregistered.Add(row.Sid);
                else Interlocked.Increment(ref failures);
            });
        await records.CompleteAsync([.. revoked], [.. unregistered]);
        var left = pending.Count(row => row.IsRevocationPending) - revoked.Count
            + pending.Count(row => row.IsRegistrationPending) - unregistered.Count;
        if (left > 0) LogPending(left);
        return left == 0 && pending.Count == BatchSize;
    }

    private Task<bool> IsRevokedAsync(SessionRow row) =>
        revocations.TryWriteAsync(row.Sid, DateTimeOffset.FromUnixTimeSeconds(row.EndedAt!.Value));

    [LoggerMessage(1, LogLevel.Error, "Sessions of locked and deleted users cannot be looked for: {Error}. The WWSF retries.")]
    private partial void LogFailed(string error);

    [LoggerMessage(2, LogLevel.Warning,
        "Redis or the eP-CSCF does not know yet that sessions have ended: {Count} notifications wait. The WWSF retries in 20 seconds.")]
    private partial void LogPending(int count);
}
