using StackExchange.Redis;
using WebRtcIms.Contracts;

namespace WebRtcIms.Waf.Introspection;

/// <summary>Finds out whether a token is revoked, as TURN nodes and eP-CSCFs decide it.</summary>
internal sealed class RevocationLookup(IConnectionMultiplexer redis, TimeProvider time)
{
    /// <summary>The wait of a client while Redis does not answer.</summary>
    public static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(2);

    /// <summary>Whether a TURN token is revoked.</summary>
    /// <exception cref="RedisException">Redis does not answer.</exception>
    public Task<bool> CoverAsync(string kid, string tokenId, string clientId, string? session, DateTimeOffset issuedAt) =>
        CoverAsync(NamesOf(kid, tokenId, session), [TurnRevocations.OfClient(clientId), TurnRevocations.All], issuedAt);

    /// <summary>Whether a registration token is revoked. "All" is for TURN tokens.</summary>
    /// <exception cref="RedisException">Redis does not answer.</exception>
    public Task<bool> CoverRegistrationAsync(string kid, string tokenId, string clientId, string session, DateTimeOffset issuedAt) =>
        CoverAsync(NamesOf(kid, tokenId, session), [TurnRevocations.OfClient(clientId)], issuedAt);

    private static string[] NamesOf(string kid, string tokenId, string? session) =>
        [TurnRevocations.OfToken(kid, tokenId), TurnRevocations.OfKey(kid), TurnRevocations.OfSession(session ?? "")];

    /// <param name="names">Revocations of every token.</param>
    /// <param name="namesUntil">Revocations of tokens that were made until then.</param>
    /// <param name="issuedAt">When the token was made.</param>
    private async Task<bool> CoverAsync(string[] names, string[] namesUntil, DateTimeOffset issuedAt)
    {
        var ends = await redis.GetDatabase()
            .SortedSetScoresAsync(TurnRevocations.Key, [.. names.Concat(namesUntil).Select(name => (RedisValue)name)]);
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        return ends[..names.Length].Any(end => end > now)
            || ends[names.Length..].Any(end => end > now && issuedAt.ToUnixTimeSeconds() <= end - TokenLimits.LongestLifetime.TotalSeconds);
    }
}
