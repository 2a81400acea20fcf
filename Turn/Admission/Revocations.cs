using System.Collections.Concurrent;
using WebRtcIms.Contracts;
using WebRtcIms.Turn.Engine.Authentication;

namespace WebRtcIms.Turn.Admission;

/// <summary>
/// The revocations that this node knows: a copy of <c>turn:revoked</c>, so that a request needs no round trip. A revocation stays until
/// it expires, also when Redis loses it.
/// </summary>
internal sealed class Revocations(TimeProvider time) : IRevocations
{
    private static readonly TimeSpan PurgeInterval = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, DateTimeOffset> _until = new();
    private long _purgeAt;

    /// <summary>True when the revocation is new.</summary>
    public bool Add(string name, DateTimeOffset until)
    {
        var now = time.GetUtcNow();
        if (until <= now) return false;
        Purge(now);
        var isNew = !_until.TryGetValue(name, out var before) || before < until;
        if (isNew) _until[name] = until;
        return isNew;
    }

    // Each poll adds all of them again, and strangers can end many sessions. So not for each one.
    private void Purge(DateTimeOffset now)
    {
        var purgeAt = Interlocked.Read(ref _purgeAt);
        if (now.Ticks < purgeAt || Interlocked.CompareExchange(ref _purgeAt, (now + PurgeInterval).Ticks, purgeAt) != purgeAt) return;
        foreach (var (known, end) in _until)
        {
            if (end <= now) _until.TryRemove(known, out _);
        }
    }

    public bool Cover(Credential credential, DateTimeOffset now) => Cover(credential, now, grant: null);

    /// <summary>Whether a token must not be accepted any more.</summary>
    /// <param name="credential">A credential without a token is never revoked.</param>
    /// <param name="now">The time.</param>
    /// <param name="grant">The client and the session that the token was issued to, if known.</param>
    public bool Cover(Credential credential, DateTimeOffset now, Grant? grant)
    {
        if (credential.Token is not { } token || _until.IsEmpty) return false;
        if (IsLive(TurnRevocations.OfKey(token.KeyId), now, out _)
            || IsLive(TurnRevocations.OfToken(token.KeyId, token.TokenId), now, out _)) return true;
        // A session has ended, so its newer tokens are also refused.
        if (grant?.Pseudonym is { } session && IsLive(TurnRevocations.OfSession(session), now, out _)) return true;

        return WasIssuedBefore(TurnRevocations.All, credential, now)
            || (grant?.ClientId is { } client && WasIssuedBefore(TurnRevocations.OfClient(client), credential, now));
    }

    // Tokens issued after the revocation are valid.
    private bool WasIssuedBefore(string name, Credential credential, DateTimeOffset now) =>
        IsLive(name, now, out var until) && credential.IssuedAt <= until - TokenLimits.LongestLifetime;

    private bool IsLive(string name, DateTimeOffset now, out DateTimeOffset until) => _until.TryGetValue(name, out until) && until > now;
}
