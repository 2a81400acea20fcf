using WebRtcIms.Waf.Stores;
using WebRtcIms.Waf.Telemetry;

namespace WebRtcIms.Waf.Audit;

/// <summary>
/// Writes the queued rows in batches. While the database is away it keeps its batch and retries. When the process stops, it writes what is
/// left, within a time limit.
/// </summary>
internal sealed partial class AuditWriter(
    AuditLog audit, IServiceScopeFactory scopes, WafTelemetry telemetry, TimeProvider time, ILogger<AuditWriter> logger) : BackgroundService
{
    private const int BatchSize = 500;

    // A busy WAF writes the rows of half a second in one transaction.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan WriteLimit = TimeSpan.FromSeconds(5);

    private readonly List<AuditEntry> _batch = new(BatchSize);
    private bool _isAway;

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        using var limit = new CancellationTokenSource(WriteLimit, time);
        do Fill();
        while (_batch.Count > 0 && !limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested && await TryWriteAsync());

        var lost = _batch.Count + audit.Queue.Count;
        if (lost == 0) return;
        telemetry.AuditLost(lost);
        LogLost(lost);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (await audit.Queue.WaitToReadAsync(stoppingToken))
            {
                Fill();
                while (!await TryWriteAsync()) await Task.Delay(RetryInterval, time, stoppingToken);
                await Task.Delay(Pause, time, stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // StopAsync writes the rest.
        }
    }

    private void Fill()
    {
        while (_batch.Count < BatchSize && audit.Queue.TryRead(out var entry)) _batch.Add(entry);
    }

    // A stop does not interrupt a transaction: it may have been committed, and its rows would be written twice.
    private async Task<bool> TryWriteAsync()
    {
        using var limit = new CancellationTokenSource(WriteLimit, time);
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            var store = scope.ServiceProvider.GetRequiredService<WafDatabase>();
            store.Audit.AddRange(_batch);
            await store.SaveChangesAsync(limit.Token);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            if (!_isAway) LogUnavailable(error.GetType().Name);
            _isAway = true;
            return false;
        }

        if (_isAway) LogAvailable();
        _isAway = false;
        _batch.Clear();
        return true;
    }

    [LoggerMessage(1, LogLevel.Warning, "The store does not take rows of the audit ({Error}); they wait in this process")]
    private partial void LogUnavailable(string error);

    [LoggerMessage(2, LogLevel.Information, "The store takes rows of the audit again")]
    private partial void LogAvailable();

    [LoggerMessage(3, LogLevel.Error, "The process stops without {Count} rows of the audit, because the store did not take them")]
    private partial void LogLost(int count);
}
