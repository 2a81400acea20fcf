using System.Diagnostics.Metrics;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Telemetry;

/// <summary>A cache that an Allocate asks.</summary>
internal enum Cache
{
    /// <summary>Of this node: a hit is a replay.</summary>
    NodeReplay,

    /// <summary>In Redis: a hit is a replay at another node.</summary>
    FleetReplay,

    /// <summary>A hit is a token that has made an allocation before.</summary>
    Lifetime,

    /// <summary>The grant of the authorization server. After a miss, the allocation does not join the trace of the token.</summary>
    Grant,

    /// <summary>A hit is a revoked token.</summary>
    Revocation,
}

/// <summary>Counters of the meter <c>WebRtcIms.Turn</c>. Relayed packets are counted here and never traced.</summary>
internal sealed class TurnMetrics
{
    // The names are made once: a flood of dropped packets or of first requests must not allocate.
    private static readonly string[] ReasonNames = Enum.GetNames<DropReason>();
    private static readonly double[] Seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
    private static readonly Dictionary<StunMethod,
        string> MethodNames = Enum.GetValues<StunMethod>().ToDictionary(method => method, method => method.ToString());
    private static readonly Dictionary<StunError,
        object> ErrorCodes = Enum.GetValues<StunError>().ToDictionary(error => error, error => (object)(int)error);

    private readonly Counter<long> _requests;
    private readonly Counter<long> _drops;
    private readonly Histogram<double> _allocationDuration;
    private readonly Histogram<double> _cacheDuration;
    private readonly Counter<long> _lookups;
    private readonly Counter<long> _shortages;

    public TurnMetrics(IMeterFactory factory)
    {
        Meter = factory.Create("WebRtcIms.Turn");
        _requests =
            Meter.CreateCounter<long>("turn.requests", description: "STUN and TURN requests, by method and error code (0: success)");
        _drops = Meter.CreateCounter<long>("turn.relay.drops", description: "Packets dropped, by reason");
        _allocationDuration = Meter.CreateHistogram<double>(
            "turn.allocation.duration", "s", "From an authenticated Allocate to its answer, by error code (0: success)",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = Seconds });
        _cacheDuration = Meter.CreateHistogram<double>(
            "turn.cache.duration", "s", "Time that an Allocate or a renewal waited for Redis, by failure",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = Seconds });
        _lookups = Meter.CreateCounter<long>("turn.cache.lookups", description: "Lookups in the caches, by cache and result");
        _shortages = Meter.CreateCounter<long>(
            "turn.relay.shortages", description: "Allocates refused with 508, and streams closed, because something is used up, by cause");
        Meter.CreateObservableCounter(
            "turn.relay.packets", () => Observe(counter => counter.Packets), description: "Datagrams relayed, by direction");
        Meter.CreateObservableCounter(
            "turn.relay.bytes", () => Observe(counter => counter.Bytes), "By", "Octets of payload relayed, by direction");
    }

    /// <summary>The meter, for instruments whose values other classes have.</summary>
    public Meter Meter { get; }

    public RelayCounters ToPeers { get; } = new();

    public RelayCounters ToClients { get; } = new();

    public void CountRequest(StunMethod method, StunError error) => _requests.Add(
        1, new KeyValuePair<string, object?>("turn.method", MethodNames[method]), new KeyValuePair<string,
        object?>("turn.error_code", ErrorCodes[error]));

    public void RecordAllocation(TimeSpan duration, StunError error) =>
        _allocationDuration.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("turn.error_code", (int)error));

    public void CountLookup(Cache cache, bool isHit) =>
        _lookups.Add(1, Tag("cache", cache.ToString()), Tag("result", isHit ? "hit" : "miss"));

    public void CountShortage(string cause) => _shortages.Add(1, Tag("cause", cause));

    /// <param name="duration">The time from the request to the response or time-out.</param>
    /// <param name="error">The failure, or null.</param>
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
