using WebRtcIms.Contracts;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>
/// Revocations of the WAF that cover registration tokens: of a token, of a long-term key, and of the tokens that a client got until then.
/// Sessions are in <see cref="RevokedSessions"/>.
/// </summary>
internal sealed class RevokedTokens(TimeProvider time)
{
    private static readonly TimeSpan PurgeInterval = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, DateTimeOffset> _ends = new(StringComparer.Ordinal);
    private long _purgeAt;

    /// <summary>False when it is known already.</summary>
    /// <param name="name">A name of <see cref="TurnRevocations"/>.</param>
    /// <param name="until">Its end.</param>
    public bool Add(string name, DateTimeOffset until)
    {
        var now = time.GetUtcNow();
        Purge(now);
        if (until <= now || (_ends.TryGetValue(name, out var known) && known >= until)) return false;
        _ends[name] = until;
        return true;
    }

    public bool Cover(RegistrationToken token) =>
        EndOf(TurnRevocations.OfToken(token.Kid, token.TokenId)) is not null || EndOf(TurnRevocations.OfKey(token.Kid)) is not null
        || (EndOf(TurnRevocations.OfClient(token.ClientId ?? token.Wwsf)) is { } end
            && DateTimeOffset.FromUnixTimeSeconds(token.IssuedAt) <= end - TokenLimits.LongestLifetime);

    private DateTimeOffset? EndOf(string name) => _ends.TryGetValue(name, out var end) && end > time.GetUtcNow() ? end : null;

    // Strangers can end many sessions, so not for each one.
    private void Purge(DateTimeOffset now)
    {
        var purgeAt = Interlocked.Read(ref _purgeAt);
        if (now.Ticks < purgeAt || Interlocked.CompareExchange(ref _purgeAt, (now + PurgeInterval).Ticks, purgeAt) != purgeAt) return;
        foreach (var old in _ends.Where(entry => entry.Value <= now)) _ends.TryRemove(old);
    }
}
