using System.Diagnostics;
using System.Text.Json;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Waf.Tokens;

/// <summary>
/// Leaves for the TURN server what the token itself must not carry: whose it is (a pseudonym) and the trace it belongs to.
/// <c>turn:grant:{kid}:{tid}</c> lives as long as the token. A token is good without it, so Redis may be down.
/// </summary>
internal sealed partial class GrantStore(ILogger<GrantStore> logger, TimeProvider clock, IConnectionMultiplexer? redis = null)
{
    private static readonly TimeSpan Budget = TimeSpan.FromMilliseconds(250);

    private int _isOut;

    public async Task WriteAsync(IssuedToken token, string clientId, string? pseudonym)
    {
        if (redis is null) return;
        var grant = new Grant(clientId, pseudonym, Activity.Current?.Id, (clock.GetUtcNow() + token.Lifetime).ToUnixTimeSeconds());
        using var command = RedisCommand.Start("SET");
        try
        {
            await redis.GetDatabase().StringSetAsync(Grant.Key(token.Kid, token.TokenId), grant.ToJson(), token.Lifetime).WaitAsync(Budget, clock);
            if (Interlocked.Exchange(ref _isOut, 0) == 1) LogBack();
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            command.Fail(error);
            if (Interlocked.Exchange(ref _isOut, 1) == 0) LogOut(error.GetType().Name);
        }
    }

    /// <summary>Whose a grant is; null when it is none of ours.</summary>
    public static string? ClientIdIn(string grant)
    {
        try
        {
            return Grant.Parse(grant)?.ClientId;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Redis does not answer ({Error}); tokens go out without a grant, and TURN cannot join their traces")]
    private partial void LogOut(string error);

    [LoggerMessage(2, LogLevel.Information, "Redis answers again")]
    private partial void LogBack();
}
