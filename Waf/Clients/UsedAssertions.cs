using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Waf.Clients;

/// <summary>
/// Remembers used assertions until they expire: here, and for all replicas in Redis (<c>waf:assertion:</c> and a hash). While Redis does
/// not answer within its budget, each replica only knows its own.
/// </summary>
internal sealed class UsedAssertions(TimeProvider time, IConnectionMultiplexer? redis = null)
{
    /// <summary>How far ahead the end of an assertion may be.</summary>
    public static readonly TimeSpan MaxLifetime = TimeSpan.FromMinutes(5);

    // An assertion is accepted a minute longer, and the clock of another replica may be a minute behind.
    private static readonly TimeSpan AfterEnd = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan Budget = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan PurgeInterval = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, DateTimeOffset> _ends = [];
    private DateTimeOffset _purgeAt;

    /// <param name="clientId">The client whose assertion was verified. Only a known client can fill this memory.</param>
    /// <param name="id">Its jti.</param>
    /// <param name="end">Its end.</param>
    public async Task<bool> IsFirstAsync(string clientId, string id, DateTimeOffset end)
    {
        var name = Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes($"{clientId}\n{id}")));
        var now = time.GetUtcNow();
        if (!IsFirstHere(name, now, end)) return false;
        if (redis is null) return true;
        using var command = RedisCommand.Start("SET");
        try
        {
            return await redis.GetDatabase()
                .StringSetAsync($"waf:assertion:{name}", 1, end - now + AfterEnd, When.NotExists)
                .WaitAsync(Budget, time);
        }
        catch (Exception error) when (RedisAvailability.IsFailure(error))
        {
            command.Fail(error);
            return true;
        }
    }

    private bool IsFirstHere(string name, DateTimeOffset now, DateTimeOffset end)
    {
        lock (_gate)
        {
            if (now >= _purgeAt)
            {
                _purgeAt = now + PurgeInterval;
                foreach (var (used, ended) in _ends)
                {
                    if (now >= ended + AfterEnd) _ends.Remove(used);
                }
            }

            return _ends.TryAdd(name, end);
        }
    }
}
