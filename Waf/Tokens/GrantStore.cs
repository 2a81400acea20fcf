using System.Diagnostics;
using System.Text.Json;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Waf.Tokens;

/// <summary>Writes the grant of a token to Redis. A token works without its grant, so Redis may be down.</summary>
internal sealed class GrantStore(
    ILogger<GrantStore> logger, TimeProvider time, GrantedLimits limits, IConnectionMultiplexer? redis = null)
{
    private static readonly TimeSpan Budget = TimeSpan.FromMilliseconds(250);

    private readonly RedisAvailability _availability = new(
        logger, "tokens are issued without a grant, and TURN limits them as those of guests");

    public async Task WriteAsync(IssuedToken token, string clientId, string? pseudonym, bool isGuest)
    {
        if (redis is null) return;
        var grant = new Grant(
            clientId, pseudonym, Activity.Current?.Id, (time.GetUtcNow() + token.Lifetime).ToUnixTimeSeconds(), limits.For(isGuest));
        using var command = RedisCommand.Start("SET");
        try
        {
            await redis.GetDatabase()
                .StringSetAsync(Grant.Key(token.Kid, token.TokenId), grant.ToJson(), token.Lifetime)
                .WaitAsync(Budget, time);
            _availability.Answered();
        }
        catch (Exception error) when (RedisAvailability.IsFailure(error))
        {
            command.Fail(error);
            _availability.Failed(error);
        }
    }

    /// <summary>The grant of a token; null when Redis does not have it.</summary>
    /// <exception cref="RedisException">Redis does not answer.</exception>
    public static async Task<Grant?> FindAsync(IDatabase redis, TokenIdentity token)
    {
        var grant = await redis.StringGetAsync(Grant.Key(token.Kid, token.TokenId));
        try
        {
            return grant.HasValue ? Grant.Parse((string)grant!) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
