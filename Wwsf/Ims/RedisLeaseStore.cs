using StackExchange.Redis;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Ims;

/// <summary>
/// Leases that all replicas share. Each operation is one script, so it is atomic. The braces in the keys keep a pool on one node of
/// a cluster.
/// <list type="bullet">
/// <item><c>ims:lease:{guest}:7</c>: the session that holds number 7, or <c>quarantine</c>.</item>
/// <item><c>ims:lease:{guest}:session:</c> with the pseudonym of a session: its number, the hash of the client address that it counts
/// for, whether it was registered, and the number once it is released.</item>
/// <item><c>ims:lease:{guest}:from:</c> with a hash of a client address: its numbers, sorted by the end of their leases.</item>
/// <item><c>ims:lease:{guest}:unregistered</c>: the sessions that are not known to be registered, sorted by since when.</item>
/// </list>
/// </summary>
internal sealed class RedisLeaseStore(IConnectionMultiplexer redis, WwsfSettings settings, TimeProvider time) : ILeaseStore
{
    // KEYS: the session, the sessions without a registration. ARGV: the session, the prefix of all keys, the time, and more.
    private const string Common = """
        local session, unregistered, sid, prefix, now = KEYS[1], KEYS[2], ARGV[1], ARGV[2], tonumber(ARGV[3])
        local function held()
            local number = redis.call('HGET', session, 'number')
            if number and redis.call('GET', prefix .. number) == sid then return tonumber(number) end
        end
        local function count(number, until_)
            local caller = redis.call('HGET', session, 'caller')
            if caller == '' then return end
            local counted = prefix .. 'from:' .. caller
            redis.call('ZADD', counted, until_, number)
            if redis.call('PTTL', counted) < until_ - now then redis.call('PEXPIRE', counted, until_ - now) end
        end
        local function extend(number, duration)
            if redis.call('PTTL', prefix .. number) >= duration then return end
            redis.call('PEXPIRE', prefix .. number, duration)
            redis.call('PEXPIRE', session, duration)
            count(number, now + duration)
        end
        local function wait(duration)
            redis.call('ZADD', unregistered, 'NX', now, sid)
            if redis.call('PTTL', unregistered) < duration then redis.call('PEXPIRE', unregistered, duration) end
        end

        """;

    private const string LeaseScript = Common + """
        local duration, size, start = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
        local caller, limit, most = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
        local own = held()
        if own and own <= size then
            extend(own, duration)
            return own
        end
        if caller ~= '' then
            redis.call('ZREMRANGEBYSCORE', prefix .. 'from:' .. caller, '-inf', now)
            if redis.call('ZCARD', prefix .. 'from:' .. caller) >= limit then return -1 end
        end
        redis.call('ZREMRANGEBYSCORE', unregistered, '-inf', now - duration)
        if redis.call('ZCARD', unregistered) >= most then return 0 end
        for i = 0, size - 1 do
            local number = (start + i) % size + 1
            if redis.call('SET', prefix .. number, sid, 'NX', 'PX', duration) then
                redis.call('DEL', session)
                redis.call('HSET', session, 'number', number, 'caller', caller)
                redis.call('PEXPIRE', session, duration)
                count(number, now + duration)
                wait(duration)
                return number
            end
        end
        return 0
        """;

    private const string ExtendScript = Common + """
        local own = held()
        if not own then return 0 end
        extend(own, tonumber(ARGV[4]))
        return 1
        """;

    private const string RegisteredScript = Common + """
        local own = held()
        if not own then return 0 end
        if ARGV[4] == '1' then
            redis.call('HSET', session, 'registered', 1)
            redis.call('ZREM', unregistered, sid)
        else
            wait(redis.call('PTTL', prefix .. own))
        end
        return 1
        """;

    private const string ReleaseScript = Common + """
        local own, quarantine, reclaims = held(), tonumber(ARGV[4]), ARGV[5] == '1'
        local caller, registered = redis.call('HGET', session, 'caller'), redis.call('HGET', session, 'registered')
        if own then
            redis.call('SET', prefix .. own, 'quarantine', 'PX', quarantine)
            if caller ~= '' then redis.call('ZADD', prefix .. 'from:' .. caller, 'XX', now + quarantine, own) end
            redis.call('HSET', session, 'released', own)
            redis.call('PEXPIRE', session, quarantine)
        end
        if not registered and not reclaims then return 1 end
        local released = redis.call('HGET', session, 'released')
        if released and not registered and redis.call('GET', prefix .. released) == 'quarantine' then
            redis.call('DEL', prefix .. released)
            if caller ~= '' then redis.call('ZREM', prefix .. 'from:' .. caller, released) end
        end
        redis.call('ZREM', unregistered, sid)
        redis.call('DEL', session)
        return 1
        """;

    private readonly string _prefix = PoolLeases.Prefix(settings.Pool.Name);

    private RedisKey Unregistered => _prefix + "unregistered";

    public async Task<LeaseResult> LeaseAsync(string sid, string? caller, TimeSpan duration)
    {
        var (size, limit) = (settings.Pool.Size, settings.Pool.MaxPerAddress);
        var number = await EvaluateAsync(
            LeaseScript, sid, (long)duration.TotalMilliseconds, size, LeaseOrder.Start(sid, size), NameOf(caller), limit,
            settings.Pool.MaxUnregistered);
        return new(number > 0 ? number : null, IsCallerAtLimit: number < 0);
    }

    public async Task<bool> ExtendAsync(string sid, TimeSpan duration) =>
        await EvaluateAsync(ExtendScript, sid, (long)duration.TotalMilliseconds) == 1;

    public Task SetRegisteredAsync(string sid, bool isRegistered) => EvaluateAsync(RegisteredScript, sid, isRegistered ? "1" : "0");

    public async Task<IReadOnlyList<UnregisteredLease>> FindUnregisteredAsync(int count)
    {
        using var command = RedisCommand.Start("ZRANGE");
        var entries = await CompleteAsync(
            command, () => redis.GetDatabase().SortedSetRangeByRankWithScoresAsync(Unregistered, 0, count - 1));
        return [.. entries.Select(entry =>
            new UnregisteredLease(entry.Element.ToString(), DateTimeOffset.FromUnixTimeMilliseconds((long)entry.Score)))];
    }

    public async Task<int?> FindAsync(string sid)
    {
        using var command = RedisCommand.Start("HGET");
        return await CompleteAsync(command, async () => (int?)await redis.GetDatabase().HashGetAsync(SessionOf(sid), "number"));
    }

    public Task ReleaseAsync(string sid, TimeSpan quarantine) =>
        EvaluateAsync(ReleaseScript, sid, (long)quarantine.TotalMilliseconds, "0");

    public Task ReclaimAsync(string sid, TimeSpan quarantine) =>
        EvaluateAsync(ReleaseScript, sid, (long)quarantine.TotalMilliseconds, "1");

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
            taken += await CompleteAsync(command, () => redis.GetDatabase().KeyExistsAsync(keys));
        }
        return (int)taken;
    }

    private RedisKey SessionOf(string sid) => PoolLeases.OfSession(settings.Pool.Name, sid);

    private async Task<int> EvaluateAsync(string script, string sid, params RedisValue[] values)
    {
        using var command = RedisCommand.Start("EVAL");
        RedisKey[] keys = [SessionOf(sid), Unregistered];
        RedisValue[] arguments = [sid, _prefix, time.GetUtcNow().ToUnixTimeMilliseconds(), .. values];
        return await CompleteAsync(command, async () => (int)await redis.GetDatabase().ScriptEvaluateAsync(script, keys, arguments));
    }

    private static async Task<T> CompleteAsync<T>(RedisCommand command, Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception error) when (RedisAvailability.IsFailure(error))
        {
            command.Fail(error);
            throw new LeasesUnavailableException(error);
        }
    }
}

/// <summary>Redis does not answer, so the free identities are not known.</summary>
internal sealed class LeasesUnavailableException(Exception reason) : Exception("Redis does not answer", reason);
