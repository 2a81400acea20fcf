using StackExchange.Redis;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Ims;

/// <summary>
/// Leases that all replicas share. Each operation is one script, so it is atomic. The braces in the keys keep a pool on one node of
/// a cluster.
/// <list type="bullet">
/// <item><c>ims:lease:{guest}:7</c>: the session that holds number 7, or <c>quarantine</c>.</item>
/// <item><c>ims:lease:{guest}:of:</c> with the pseudonym of a session: its number.</item>
/// <item><c>ims:lease:{guest}:from:</c> with a hash of a client address: its numbers, sorted by the end of their leases.</item>
/// </list>
/// </summary>
internal sealed class RedisLeaseStore(IConnectionMultiplexer redis, WwsfSettings settings, TimeProvider time) : ILeaseStore
{
    private const string LeaseScript = """
        local sid, prefix, size, start, duration = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
        local caller, limit, now = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
        local counted = prefix .. 'from:' .. caller
        local function count(number)
            if caller == '' then return end
            redis.call('ZADD', counted, now + duration, number)
            if redis.call('PTTL', counted) < duration then redis.call('PEXPIRE', counted, duration) end
        end
        local held = tonumber(redis.call('GET', KEYS[1]) or 0)
        if held > 0 and held <= size and redis.call('GET', prefix .. held) == sid then
            if redis.call('PTTL', prefix .. held) < duration then
                redis.call('PEXPIRE', prefix .. held, duration)
                redis.call('PEXPIRE', KEYS[1], duration)
                count(held)
            end
            return held
        end
        if caller ~= '' then
            redis.call('ZREMRANGEBYSCORE', counted, '-inf', now)
            if redis.call('ZCARD', counted) >= limit then return -1 end
        end
        for i = 0, size - 1 do
            local number = (start + i) % size + 1
            if redis.call('SET', prefix .. number, sid, 'NX', 'PX', duration) then
                redis.call('SET', KEYS[1], number, 'PX', duration)
                count(number)
                return number
            end
        end
        return 0
        """;

    private const string ReleaseScript = """
        local held, prefix, caller = redis.call('GET', KEYS[1]), ARGV[2], ARGV[4]
        if not held then return 0 end
        redis.call('DEL', KEYS[1])
        if redis.call('GET', prefix .. held) ~= ARGV[1] then return 0 end
        redis.call('SET', prefix .. held, 'quarantine', 'PX', ARGV[3])
        if caller ~= '' then redis.call('ZADD', prefix .. 'from:' .. caller, 'XX', ARGV[5] + ARGV[3], held) end
        return 1
        """;

    private readonly string _prefix = $"ims:lease:{{{settings.Pool.Name}}}:";

    public async Task<LeaseResult> LeaseAsync(string sid, string? caller, TimeSpan duration)
    {
        var (size, limit) = (settings.Pool.Size, settings.Pool.MaxPerAddress);
        var number = (int)await EvaluateAsync(
            LeaseScript, sid, size, LeaseOrder.Start(sid, size), (long)duration.TotalMilliseconds,
            NameOf(caller), limit, time.GetUtcNow().ToUnixTimeMilliseconds());
        return new(number > 0 ? number : null, IsCallerAtLimit: number < 0);
    }

    public async Task<int?> FindAsync(string sid)
    {
        using var command = RedisCommand.Start("GET");
        var number = await CompleteAsync(command, redis.GetDatabase().StringGetAsync(NumberOf(sid)));
        return number.IsNull ? null : (int)number;
    }

    public Task ReleaseAsync(string sid, string? caller, TimeSpan quarantine) =>
        EvaluateAsync(ReleaseScript, sid, (long)quarantine.TotalMilliseconds, NameOf(caller), time.GetUtcNow().ToUnixTimeMilliseconds());

    // Keys must not contain client addresses.
    private static string NameOf(string? caller) =>
        caller is null ? "" : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(caller)).AsSpan(0, 8));

    public async Task<int> CountTakenAsync()
    {
        using var command = RedisCommand.Start("EXISTS");
        var taken = 0L;
        foreach (var numbers in Enumerable.Range(1, settings.Pool.Size).Chunk(1000))
        {
            RedisKey[] keys = [.. numbers.Select(number => (RedisKey)$"{_prefix}{number}")];
            taken += await CompleteAsync(command, redis.GetDatabase().KeyExistsAsync(keys));
        }
        return (int)taken;
    }

    private RedisKey NumberOf(string sid) => $"{_prefix}of:{sid}";

    private async Task<RedisResult> EvaluateAsync(string script, string sid, params RedisValue[] values)
    {
        using var command = RedisCommand.Start("EVAL");
        return await CompleteAsync(command, redis.GetDatabase().ScriptEvaluateAsync(script, [NumberOf(sid)], [sid, _prefix, .. values]));
    }

    private static async Task<T> CompleteAsync<T>(RedisCommand command, Task<T> answer)
    {
        try
        {
            return await answer;
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            command.Fail(error);
            throw new LeasesUnavailableException(error);
        }
    }
}

/// <summary>Redis does not answer, so the free identities are not known.</summary>
internal sealed class LeasesUnavailableException(Exception reason) : Exception("Redis does not answer", reason);
