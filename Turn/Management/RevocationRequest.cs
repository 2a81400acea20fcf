using WebRtcIms.Contracts;

namespace WebRtcIms.Turn.Management;

/// <summary>
/// Revokes a key, a token, all tokens that a client has got so far, or all tokens that were issued so far.
/// </summary>
internal sealed record RevocationRequest(string? Kid, string? TokenId, string? ClientId, bool All = false)
{
    /// <summary>Null unless the request names exactly one of these.</summary>
    public (string Name, TimeSpan Retention)? Named()
    {
        if (All) return Kid is null && TokenId is null && ClientId is null ? (TurnRevocations.All, TokenLimits.LongestLifetime) : null;
        if (Kid is { Length: > 0 } kid && ClientId is null)
        {
            if (TokenId is null) return (TurnRevocations.OfKey(kid), TokenLimits.RevokedKeyRetention);
            return (TurnRevocations.OfToken(kid, TokenId), TokenLimits.LongestLifetime);
        }

        return Kid is null && TokenId is null && ClientId is { Length: > 0 } client
            ? (TurnRevocations.OfClient(client), TokenLimits.LongestLifetime)
            : null;
    }
}
