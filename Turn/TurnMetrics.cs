using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Authorization;
using WebRtcIms.Turn.Caching;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn;

/// <summary>A cache that an Allocate asks.</summary>
internal enum Cache
{
    /// <summary>Of this node: a hit is a replay.</summary>
    NodeReplay,

    /// <summary>In Redis: a hit is a replay at another node.</summary>
    FleetReplay,

    /// <summary>A hit is a token that has made an allocation before.</summary>
    Lifetime,

    /// <summary>What the authorization server left; a miss joins no trace.</summary>
    Grant,

    /// <summary>A hit is a revoked token.</summary>
    Revocation,
}

/// <summary>Counters of the meter <c>WebRtcIms.Turn</c>. Relayed packets are counted here and never traced.</summary>
internal sealed class TurnMetrics
{
    // A flood of packets that are dropped, or of first requests, must not make garbage either.
    private static readonly string[] ReasonNames = Enum.GetNames<DropReason>();
    private static readonly double[] Seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
    private static readonly Dictionary<StunMethod, string> MethodNames = Enum.GetValues<StunMethod>().ToDictionary(method => method, method => method.ToString());
    private static readonly Dictionary<StunError, object> ErrorCodes = Enum.GetValues<StunError>().ToDictionary(error => error, error => (object)(int)error);

    private readonly Meter _meter;
    private readonly Counter<long> _requests;
    private readonly Counter<long> _drops;
    private readonly Histogram<double> _allocationDuration;
    private readonly Histogram<double> _cacheDuration;
    private readonly Counter<long> _lookups;

    public TurnMetrics(IMeterFactory factory)
    {
        _meter = factory.Create("WebRtcIms.Turn");
        _requests = _meter.CreateCounter<long>("turn.requests", description: "STUN and TURN requests, by method and error code (0: success)");
        _drops = _meter.CreateCounter<long>("turn.relay.drops", description: "Packets dropped, by reason");
        _allocationDuration = _meter.CreateHistogram<double>(
            "turn.allocation.duration", "s", "From an authenticated Allocate to its answer, by error code (0: success)",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = Seconds });
        _cacheDuration = _meter.CreateHistogram<double>(
            "turn.cache.duration", "s", "What an Allocate or a renewal waited for Redis, by failure",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = Seconds });
        _lookups = _meter.CreateCounter<long>("turn.cache.lookups", description: "Questions to the caches, by cache and result");
        _meter.CreateObservableCounter(
            "turn.relay.packets", () => Observe(counter => counter.Packets), description: "Datagrams relayed, by direction");
        _meter.CreateObservableCounter(
            "turn.relay.bytes", () => Observe(counter => counter.Bytes), "By", "Octets of payload relayed, by direction");
    }

    public RelayCounters ToPeers { get; } = new();

    public RelayCounters ToClients { get; } = new();

    public void ObserveAllocations(Func<int> count) =>
        _meter.CreateObservableGauge("turn.allocations", count, description: "Live allocations");

    public void ObserveQuotas(AllocationQuotas quotas)
    {
        _meter.CreateObservableGauge(
            "turn.quota.use", () => quotas.Use().Select(use => new Measurement<double>(use.Use, Tag("quota", use.Quota.ToString()))),
            description: "How much of a quota is used, by whoever uses the most of it: 1 is all");
        _meter.CreateObservableCounter(
            "turn.quota.refusals", () => Enum.GetValues<Quota>().Select(quota => new Measurement<long>(quotas.Refusals(quota), Tag("quota", quota.ToString()))),
            description: "Allocates refused, by the quota that was used up");
    }

    public void ObserveBreaker(CircuitBreaker breaker) => _meter.CreateObservableGauge(
        "turn.cache.breaker", () => (int)breaker.State, description: "Whether Redis is asked: 0 yes, 1 one Allocate tries, 2 not for now");

    public void ObserveClockSkew(RequestAuthenticator authenticator) => _meter.CreateObservableCounter<long>(
        "turn.clock_skew_suspected",
        () => [new(authenticator.SkewSuspected.Ahead, Tag("token", "ahead")), new(authenticator.SkewSuspected.Behind, Tag("token", "behind"))],
        description: "Authentic tokens from the future (ahead), or ended within the last minute (behind)");

    public void ObserveUnknownKeys(RequestAuthenticator authenticator) => _meter.CreateObservableCounter(
        "turn.unknown_keys", () => authenticator.UnknownKeys, description: "Requests with a kid that this node does not have");

    public void ObserveKeys(Func<IEnumerable<KeyAge>> keys)
    {
        _meter.CreateObservableGauge(
            "turn.key.age", () => keys().Select(key => Of(key.Age, key.Kid)), "s", "For how long this node has had a long-term key, by kid");
        _meter.CreateObservableGauge(
            "turn.key.remaining", () => keys().Where(key => key.Remaining is not null).Select(key => Of(key.Remaining!.Value, key.Kid)), "s",
            "Until a long-term key dies (NotAfter), by kid; negative afterwards");

        static Measurement<double> Of(TimeSpan time, string kid) => new(time.TotalSeconds, Tag("turn.kid", kid));
    }

    public void CountRequest(StunMethod method, StunError error) => _requests.Add(
        1, new KeyValuePair<string, object?>("turn.method", MethodNames[method]), new KeyValuePair<string, object?>("turn.error_code", ErrorCodes[error]));

    public void RecordAllocation(TimeSpan duration, StunError error) =>
        _allocationDuration.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("turn.error_code", (int)error));

    public void CountLookup(Cache cache, bool isHit) => _lookups.Add(1, Tag("cache", cache.ToString()), Tag("result", isHit ? "hit" : "miss"));

    /// <param name="duration">From the question to the answer, or to its end.</param>
    /// <param name="error">What failed, or null.</param>
    public void RecordCache(TimeSpan duration, string? error)
    {
        if (error is null) _cacheDuration.Record(duration.TotalSeconds);
        else _cacheDuration.Record(duration.TotalSeconds, Tag("error.type", error));
    }

    public void CountDrops(DropReason reason, int count)
    {
        if (count > 0) _drops.Add(count, new KeyValuePair<string, object?>("reason", ReasonNames[(int)reason]));
    }

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);

    private IEnumerable<Measurement<long>> Observe(Func<RelayCounters, long> read)
    {
        yield return new(read(ToPeers), new KeyValuePair<string, object?>("direction", "to_peer"));
        yield return new(read(ToClients), new KeyValuePair<string, object?>("direction", "to_client"));
    }
}

/// <summary>Packets and octets of one direction: a counter for each server, for workers share nothing, and added up only when read.</summary>
internal sealed class RelayCounters
{
    private readonly ConcurrentBag<RelayCounter> _counters = [];

    public long Packets => _counters.Sum(counter => counter.Packets);

    public long Bytes => _counters.Sum(counter => counter.Bytes);

    public RelayCounter Add()
    {
        var counter = new RelayCounter();
        _counters.Add(counter);
        return counter;
    }
}

/// <summary>What one server has relayed in one direction. One thread at a time counts; any may read.</summary>
internal sealed class RelayCounter
{
    private long _packets;
    private long _bytes;

    public long Packets => Volatile.Read(ref _packets);

    public long Bytes => Volatile.Read(ref _bytes);

    public void Count(int bytes)
    {
        _packets++;
        _bytes += bytes;
    }
}
