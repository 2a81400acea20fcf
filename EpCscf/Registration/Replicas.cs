using StackExchange.Redis;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>
/// The processes that serve the domain together: those that share a Redis, or only this one. <c>ims:replicas</c> holds until when each is
/// alive, by the time of Redis. A replica that hangs counts as dead after <see cref="Lifetime"/>.
/// </summary>
internal sealed class Replicas(IConnectionMultiplexer? redis = null)
{
    /// <summary>How long a replica is alive without an announcement: as long as a binding without a connection.</summary>
    public static readonly TimeSpan Lifetime = ConnectionLifetimes.Grace;

    private const string Key = "ims:replicas";

    private const string AliveScript = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local added = 0
        if ARGV[1] ~= '' then added = redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1]) end
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        return { added, redis.call('ZRANGE', KEYS[1], 0, -1) }
        """;

    private volatile HashSet<string> _alive = [];

    // Found dead since the last announcement. The bindings of a dead replica stay for a while, and each would ask Redis again.
    private readonly ConcurrentDictionary<string, bool> _dead = new();

    /// <summary>This process, from its start to its end: 16 hexadecimal digits.</summary>
    public string Self { get; } = RandomNumberGenerator.GetHexString(16, lowercase: true);

    public IReadOnlySet<string> Alive => _alive;

    public IEnumerable<string> Others => _alive.Where(replica => replica != Self);

    /// <summary>Whether the replica was alive a moment ago; this process always is.</summary>
    public async ValueTask<bool> IsAliveAsync(string replica)
    {
        if (replica == Self || _alive.Contains(replica)) return true;
        if (redis is null || _dead.ContainsKey(replica)) return false;
        await RefreshAsync(redis, announced: "");
        if (_alive.Contains(replica)) return true;
        _dead[replica] = true;
        return false;
    }

    /// <summary>Announces this replica, and reads which others are alive.</summary>
    /// <exception cref="RedisException">Redis does not answer.</exception>
    public async Task<Announcement> AnnounceAsync()
    {
        var before = _alive;
        var wasUnknown = await RefreshAsync(redis!, Self);
        _dead.Clear();
        return new Announcement([.. before.Except(_alive)], wasUnknown);
    }

    private async Task<bool> RefreshAsync(IConnectionMultiplexer redis, string announced)
    {
        var answer = await redis.GetDatabase()
            .ScriptEvaluateAsync(AliveScript, [Key], [announced, (long)Lifetime.TotalMilliseconds]);
        if ((RedisResult[]?)answer is not [var added, var alive]) throw new InvalidCastException("the answer is not a pair");
        _alive = ((RedisValue[]?)alive ?? []).Select(name => name.ToString()).ToHashSet();
        return (bool)added;
    }
}

/// <summary>What a replica learns when it announces itself.</summary>
/// <param name="Dead">The replicas that have died since its last announcement.</param>
/// <param name="WasUnknown">Whether Redis did not know it: after its start, or because Redis has lost its data.</param>
internal sealed record Announcement(IReadOnlyList<string> Dead, bool WasUnknown);
