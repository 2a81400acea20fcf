using StackExchange.Redis;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.EpCscf.Telemetry;

namespace WebRtcIms.EpCscf.Connections;

/// <summary>
/// Sends hand-overs to other replicas, and receives theirs, over the Redis channels <c>ims:replica:{id}</c>. A replica that has ended is
/// noticed at once, because its channel has no subscriber. Without Redis there are no other replicas.
/// </summary>
internal sealed class HandOvers(
    Replicas replicas, EpCscfSettings settings, EpCscfTelemetry telemetry, IConnectionMultiplexer? redis = null) : IDisposable
{
    private const int MaxPending = 10_000;

    private readonly HandOverSeal? _seal = redis is null ? null : new(Convert.FromBase64String(settings.FlowTokenKey!), replicas.Self);
    private readonly Lock _gate = new();
    private int _pending;

    /// <summary>Sends in the order of the calls. False if the replica cannot have received it.</summary>
    public async Task<bool> SendAsync(string replica, HandOver handOver)
    {
        if (redis is null) return false;
        if (Interlocked.Increment(ref _pending) > MaxPending)
        {
            Interlocked.Decrement(ref _pending);
            telemetry.Dropped("hand_over_overload");
            return false;
        }

        try
        {
            Task<long> published;
            // Sealed and sent in one order, because a receiver accepts only rising counters.
            lock (_gate) published = redis.GetSubscriber().PublishAsync(Channel(replica), _seal!.Seal(replica, handOver));
            return await published > 0;
        }
        catch (Exception error) when (RedisAvailability.IsFailure(error))
        {
            return false;
        }
        finally
        {
            Interlocked.Decrement(ref _pending);
        }
    }

    /// <summary>Sends to all other replicas; false if there are none.</summary>
    public bool SendToOthers(HandOver handOver)
    {
        var others = replicas.Others.ToList();
        foreach (var replica in others) _ = SendAsync(replica, handOver);
        return others.Count > 0;
    }

    /// <summary>Receives hand-overs from now on, one after the other.</summary>
    /// <exception cref="RedisException">Redis does not answer.</exception>
    public async Task ListenAsync(Action<string, HandOver> handle)
    {
        var queue = await redis!.GetSubscriber().SubscribeAsync(Channel(replicas.Self));
        queue.OnMessage(async message =>
        {
            var octets = (byte[]?)message.Message ?? [];
            if (HandOverSeal.SenderOf(octets) is { } sender && await replicas.IsAliveAsync(sender) && _seal!.Open(octets) is { } handOver)
                handle(sender, handOver);
            else telemetry.Dropped("hand_over_not_authentic");
            _seal!.Forget(replicas.Alive);
        });
    }

    /// <summary>Stops receiving. The bindings of this process stay for as long as a page needs to connect to another replica.</summary>
    public async Task LeaveAsync()
    {
        try
        {
            await redis!.GetSubscriber().UnsubscribeAsync(Channel(replicas.Self));
        }
        catch (Exception error) when (RedisAvailability.IsFailure(error))
        {
            // The subscription ends with the connection to Redis.
        }
    }

    public void Dispose() => _seal?.Dispose();

    private static RedisChannel Channel(string replica) => RedisChannel.Literal($"ims:replica:{replica}");
}
