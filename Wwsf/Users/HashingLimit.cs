using System.Threading.RateLimiting;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Users;

/// <summary>
/// Bounds the password hashes at the same time, for all clients together: a hash costs tens of milliseconds of CPU time. Others wait in a
/// bounded queue for a bounded time. Known browsers have a queue of their own, which strangers cannot fill.
/// </summary>
internal sealed class HashingLimit(WwsfSettings settings, TimeProvider time) : IDisposable
{
    public static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(5);

    private readonly ConcurrencyLimiter _strangers = Limiter(settings.Limits.PasswordChecks, settings.Limits.WaitingPasswordChecks);
    private readonly ConcurrencyLimiter _known = Limiter(permits: 1, settings.Limits.WaitingPasswordChecks);

    /// <summary>Waits for the permission to hash; dispose it afterwards. Null if too many wait, or if it took too long.</summary>
    public async Task<IDisposable?> AcquireAsync(bool isKnownBrowser, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(MaxWait, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            var lease = await (isKnownBrowser ? _known : _strangers).AcquireAsync(1, limit.Token);
            if (lease.IsAcquired) return lease;
            lease.Dispose();
            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    public void Dispose()
    {
        _strangers.Dispose();
        _known.Dispose();
    }

    private static ConcurrencyLimiter Limiter(int permits, int waiting) => new(new ConcurrencyLimiterOptions
    {
        PermitLimit = permits,
        QueueLimit = waiting,
        QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
    });
}
