using Microsoft.EntityFrameworkCore;
using WebRtcIms.Waf.Stores;

namespace WebRtcIms.Waf.Audit;

/// <param name="Keep">How long rows are kept; zero keeps them for ever.</param>
internal sealed record AuditRetentionSettings(TimeSpan Keep);

/// <summary>
/// Deletes old rows of the audit, a batch at a time, so that other writers of the store wait only for one batch. Replicas may do it at the
/// same time: they delete the same rows.
/// </summary>
internal sealed partial class AuditRetention(
    AuditRetentionSettings settings, IServiceScopeFactory scopes, TimeProvider time, ILogger<AuditRetention> logger) : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    private const int BatchSize = 1000;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (settings.Keep == TimeSpan.Zero) return;
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

    private async Task DeleteAsync(CancellationToken cancellationToken)
    {
        var end = (time.GetUtcNow() - settings.Keep).ToUnixTimeSeconds();
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            var audit = scope.ServiceProvider.GetRequiredService<WafDatabase>().Audit;
            var (total, deleted) = (0, BatchSize);
            while (deleted == BatchSize)
            {
                deleted = await audit.Where(entry => entry.At < end).OrderBy(entry => entry.At).Take(BatchSize)
                    .ExecuteDeleteAsync(cancellationToken);
                total += deleted;
            }

            if (total > 0) LogDeleted(total, settings.Keep);
        }
        catch (Exception error) when (error is not (OutOfMemoryException or OperationCanceledException))
        {
            LogFailed(error.GetType().Name);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "{Count} rows of the audit that were older than {Keep} were deleted")]
    private partial void LogDeleted(int count, TimeSpan keep);

    [LoggerMessage(2, LogLevel.Warning, "Old rows of the audit could not be deleted ({Error}); the next attempt is in an hour")]
    private partial void LogFailed(string error);
}
