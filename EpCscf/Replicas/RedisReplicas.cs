using System.Collections.Concurrent;
using System.Security.Cryptography;
using StackExchange.Redis;

namespace WebRtcIms.EpCscf.Replicas;

/// <summary>
/// The replicas that share a Redis. <c>ims:replicas</c> says until when each is taken to be alive, by Redis' clock; each listens to the
/// channel <c>ims:replica:{id}</c>. A replica that ended is noticed at once by who publishes to it, since nobody listens any more;
/// one that hangs is after <see cref="Lifetime"/>.
/// </summary>
internal sealed class RedisReplicas : IReplicas, IDisposable
{
    /// <summary>So long a replica is alive without a sign: as long as a binding without a connection.</summary>
    public static readonly TimeSpan Lifetime = Registration.Registrar.Grace;

    private const int MaxOnTheWay = 10_000;
    private const string Key = "ims:replicas";

    private const string AliveScript = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        if ARGV[1] ~= '' then redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1]) end
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        return redis.call('ZRANGE', KEYS[1], 0, -1)
        """;

    private readonly IConnectionMultiplexer _redis;
    private readonly EpCscfTelemetry _telemetry;
    private readonly HandOverSeal _seal;
    private readonly Lock _gate = new();
    private volatile HashSet<string> _alive = [];

    // Looked up in vain since the last announcement: the bindings of a replica that has died stay for a while.
    private readonly ConcurrentDictionary<string, bool> _dead = new();
    private int _onTheWay;

    public RedisReplicas(IConnectionMultiplexer redis, EpCscfSettings settings, EpCscfTelemetry telemetry)
    {
        (_redis, _telemetry) = (redis, telemetry);
        _seal = new(Convert.FromBase64String(settings.FlowTokenKey!), Self);
    }

    public string Self { get; } = RandomNumberGenerator.GetHexString(16, lowercase: true);

    public async ValueTask<bool> IsAliveAsync(string replica)
    {
        if (replica == Self || _alive.Contains(replica)) return true;
        if (_dead.ContainsKey(replica)) return false;
        await RefreshAsync(announced: "");
        if (_alive.Contains(replica)) return true;
        _dead[replica] = true;
        return false;
    }

    public async Task<bool> SendAsync(string replica, HandOver handOver)
    {
        if (Interlocked.Increment(ref _onTheWay) > MaxOnTheWay)
        {
            Interlocked.Decrement(ref _onTheWay);
            _telemetry.Dropped("hand_over_overload");
            return false;
        }

        try
        {
            Task<long> published;
            // Sealed and sent in one order: a receiver takes rising counters only.
            lock (_gate) published = _redis.GetSubscriber().PublishAsync(Channel(replica), _seal.Seal(replica, handOver));
            return await published > 0;
        }
        catch (Exception error) when (error is RedisException or TimeoutException or ObjectDisposedException)
        {
            return false;
        }
        finally
        {
            Interlocked.Decrement(ref _onTheWay);
        }
    }

    public bool SendToOthers(HandOver handOver)
    {
        var others = _alive.Where(replica => replica != Self).ToList();
        foreach (var replica in others) _ = SendAsync(replica, handOver);
        return others.Count > 0;
    }

    /// <summary>Takes what others hand over, one after the other.</summary>
    /// <exception cref="RedisException">Redis does not answer.</exception>
    public async Task ListenAsync(Action<string, HandOver> take)
    {
        var queue = await _redis.GetSubscriber().SubscribeAsync(Channel(Self));
        queue.OnMessage(async message =>
        {
            var octets = (byte[]?)message.Message ?? [];
            if (HandOverSeal.SenderOf(octets) is { } sender && await IsAliveAsync(sender) && _seal.Open(octets) is { } handOver) take(sender, handOver);
            else _telemetry.Dropped("hand_over_not_authentic");
            _seal.Forget(_alive);
        });
    }

    /// <summary>Says that this replica is alive, and learns who else is.</summary>
    /// <returns>Those who were, and are not any more.</returns>
    /// <exception cref="RedisException">Redis does not answer.</exception>
    public async Task<IReadOnlyList<string>> AnnounceAsync()
    {
        var before = _alive;
        await RefreshAsync(Self);
        _dead.Clear();
        return [.. before.Except(_alive)];
    }

    /// <summary>From now on nothing can be handed over to this process. Its bindings stay for as long as it takes a page to connect to another.</summary>
    public async Task LeaveAsync()
    {
        try
        {
            await _redis.GetSubscriber().UnsubscribeAsync(Channel(Self));
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            // Then it ends with the connection.
        }
    }

    public void Dispose() => _seal.Dispose();

    private static RedisChannel Channel(string replica) => RedisChannel.Literal($"ims:replica:{replica}");

    private async Task RefreshAsync(string announced)
    {
        var names = (RedisValue[]?)await _redis.GetDatabase().ScriptEvaluateAsync(AliveScript, [Key], [announced, (long)Lifetime.TotalMilliseconds]);
        _alive = names!.Select(name => name.ToString()).ToHashSet();
    }
}
