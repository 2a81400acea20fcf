using StackExchange.Redis;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Wwsf.Ims;

/// <summary>
/// Leases that all replicas share. <c>ims:lease:{guest}:7</c> has the session that holds number 7, or that it is in quarantine;
/// <c>ims:lease:{guest}:of:</c> and the session's pseudonym has the number. Each operation is one script, so it happens at once
/// or not at all. The braces keep a pool on one node of a cluster.
/// </summary>
internal sealed class RedisLeaseStore(IConnectionMultiplexer redis, WwsfSettings settings) : ILeaseStore
{
    private const string Take = """
        local sid, prefix, size, start, duration = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
        local held = tonumber(redis.call('GET', KEYS[1]) or 0)
        if held > 0 and held <= size and redis.call('GET', prefix .. held) == sid then
            if redis.call('PTTL', prefix .. held) < duration then
                redis.call('PEXPIRE', prefix .. held, duration)
                redis.call('PEXPIRE', KEYS[1], duration)
            end
            return held
        end
        for i = 0, size - 1 do
            local number = (start + i) % size + 1
            if redis.call('SET', prefix .. number, sid, 'NX', 'PX', duration) then
                redis.call('SET', KEYS[1], number, 'PX', duration)
                return number
            end
        end
        return 0
        """;

    private const string Release = """
        local held = redis.call('GET', KEYS[1])
        if not held then return 0 end
        redis.call('DEL', KEYS[1])
        if redis.call('GET', ARGV[2] .. held) == ARGV[1] then redis.call('SET', ARGV[2] .. held, 'quarantine', 'PX', ARGV[3]) end
        return 1
        """;

    private readonly string _prefix = $"ims:lease:{{{settings.Pool.Name}}}:";

    public async Task<int?> TakeAsync(string sid, TimeSpan duration)
    {
        var size = settings.Pool.Size;
        var number = (int)await EvaluateAsync(Take, sid, size, LeaseOrder.Start(sid, size), (long)duration.TotalMilliseconds);
        return number > 0 ? number : null;
    }

    public async Task<int?> FindAsync(string sid)
    {
        using var command = RedisCommand.Start("GET");
        return await CompleteAsync(command, redis.GetDatabase().StringGetAsync(NumberOf(sid))) is { IsNull: false } number ? (int)number : null;
    }

    public Task ReleaseAsync(string sid, TimeSpan quarantine) => EvaluateAsync(Release, sid, (long)quarantine.TotalMilliseconds);

    public async Task<int> CountTakenAsync()
    {
        using var command = RedisCommand.Start("EXISTS");
        var taken = 0L;
        foreach (var numbers in Enumerable.Range(1, settings.Pool.Size).Chunk(1000))
            taken += await CompleteAsync(command, redis.GetDatabase().KeyExistsAsync([.. numbers.Select(number => (RedisKey)$"{_prefix}{number}")]));
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

/// <summary>Redis does not answer: nobody can say which identities are free.</summary>
internal sealed class LeasesUnavailableException(Exception reason) : Exception("Redis does not answer", reason);
