using WebRtcIms.EpCscf.Settings;

namespace WebRtcIms.EpCscf.Presence;

/// <summary>The rates of requests for the directory: of each identity, and of all together.</summary>
internal sealed class DirectoryLimit(EpCscfSettings settings, TimeProvider time)
{
    // Twice as many as come from all allowed connections, when each page asks every 4 s.
    private readonly TokenBucket _all = new(settings.Limits.Connections, settings.Limits.Connections / 2.0, time);

    private readonly ConcurrentDictionary<string, TokenBucket> _identities = new();

    /// <param name="subscriber">The name of a subscriber with a good token, so there are no more names than subscribers.</param>
    public bool TryAcquire(string subscriber) => _identities.GetOrAdd(subscriber, _ => new TokenBucket(
        settings.Limits.DirectoryRequestsPerMinute, settings.Limits.DirectoryRequestsPerMinute / 60.0, time)).TryAcquire()
            && _all.TryAcquire();
}
