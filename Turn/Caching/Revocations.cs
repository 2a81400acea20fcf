using System.Collections.Concurrent;
using WebRtcIms.Contracts;
using WebRtcIms.Turn.Authorization;

namespace WebRtcIms.Turn.Caching;

/// <summary>
/// What is revoked, as far as this node knows: a copy of <c>turn:revoked</c>, so that every request can ask without waiting. What
/// has been heard once is kept until it ends, also when Redis forgets it.
/// </summary>
internal sealed class Revocations(TimeProvider clock)
{
    private readonly ConcurrentDictionary<string, DateTimeOffset> _until = new();

    /// <summary>True when this was not known yet.</summary>
    public bool Add(string name, DateTimeOffset until)
    {
        var now = clock.GetUtcNow();
        if (until <= now) return false;
        foreach (var (known, end) in _until)
        {
            if (end <= now) _until.TryRemove(known, out _);
        }

        var isNew = !_until.TryGetValue(name, out var before) || before < until;
        if (isNew) _until[name] = until;
        return isNew;
    }

    /// <summary>Whether a token must not be accepted any more.</summary>
    /// <param name="credential">The credential; one without a token is never revoked.</param>
    /// <param name="clientId">Whose the token is, when that is known.</param>
    public bool Cover(Credential credential, string? clientId = null)
    {
        if (credential.Token is not { } token || _until.IsEmpty) return false;
        if (IsLive(TurnRevocations.OfKey(token.KeyId), out _) || IsLive(TurnRevocations.OfToken(token.KeyId, token.TokenId), out _)) return true;

        return WasIssuedBefore(TurnRevocations.All, credential) || (clientId is not null && WasIssuedBefore(TurnRevocations.OfClient(clientId), credential));
    }

    // Tokens that were made after the revocation are good.
    private bool WasIssuedBefore(string name, Credential credential) =>
        IsLive(name, out var until) && credential.IssuedAt <= until - TokenLimits.LongestLifetime;

    private bool IsLive(string name, out DateTimeOffset until) => _until.TryGetValue(name, out until) && until > clock.GetUtcNow();
}
