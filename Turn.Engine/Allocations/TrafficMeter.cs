namespace WebRtcIms.Turn.Engine.Allocations;

/// <summary>What one allocation may relay in each direction (RFC 8656 §5, §21.3.1); 0 for no bound.</summary>
/// <param name="PacketsPerSecond">Datagrams.</param>
/// <param name="BytesPerSecond">Octets of payload.</param>
public readonly record struct TrafficLimits(int PacketsPerSecond, int BytesPerSecond)
{
    /// <summary>Whether there is a limit at all.</summary>
    public bool Any => PacketsPerSecond > 0 || BytesPerSecond > 0;

    /// <summary>Twice as much: two calls at a time.</summary>
    internal TrafficLimits Twice => new(Double(PacketsPerSecond), Double(BytesPerSecond));

    /// <summary>These limits, and nowhere more than another's.</summary>
    public TrafficLimits Within(TrafficLimits most) =>
        new(Lower(PacketsPerSecond, most.PacketsPerSecond), Lower(BytesPerSecond, most.BytesPerSecond));

    private static int Lower(int limit, int most) => limit <= 0 ? most : most <= 0 ? limit : Math.Min(limit, most);

    private static int Double(int limit) => (int)Math.Min(int.MaxValue, 2L * limit);
}

/// <summary>The traffic of several allocations together: of a user, or of a client address. Several engines may have them.</summary>
/// <param name="limits">The limits; null for twice those of each allocation.</param>
public sealed class SharedTraffic(TrafficLimits? limits = null)
{
    private readonly TrafficMeter _toPeers = new();
    private readonly TrafficMeter _toClients = new();

    internal bool HasRoom(bool toPeers, TrafficLimits ofAllocation, long milliseconds) =>
        Meter(toPeers).HasRoom(limits ?? ofAllocation.Twice, milliseconds);

    internal void Pay(bool toPeers, int bytes, TrafficLimits ofAllocation, long milliseconds) =>
        Meter(toPeers).Pay(bytes, limits ?? ofAllocation.Twice, milliseconds);

    internal TimeSpan Pause(bool toPeers, long milliseconds) => Meter(toPeers).Pause(milliseconds);

    private TrafficMeter Meter(bool toPeers) => toPeers ? _toPeers : _toClients;
}

/// <summary>
/// Meters one direction: token buckets that hold a second's worth, each as the one number up to which the traffic so far is paid for.
/// Safe for several threads, without a lock. Two threads at the edge may each relay one packet more.
/// </summary>
internal sealed class TrafficMeter
{
    private const long Second = 1_000_000_000;

    // Nanoseconds of the engine's time. In the past, the bucket is full.
    private long _packetsPaidUntil;
    private long _bytesPaidUntil;

    /// <summary>Whether another packet may be relayed.</summary>
    public bool HasRoom(TrafficLimits limits, long milliseconds)
    {
        var end = (milliseconds * 1_000_000) + Second;
        return (limits.PacketsPerSecond <= 0 || Volatile.Read(ref _packetsPaidUntil) < end)
            && (limits.BytesPerSecond <= 0 || Volatile.Read(ref _bytesPaidUntil) < end);
    }

    public void Pay(int bytes, TrafficLimits limits, long milliseconds)
    {
        var now = milliseconds * 1_000_000;
        if (limits.PacketsPerSecond > 0) Add(ref _packetsPaidUntil, Second / limits.PacketsPerSecond, now);
        if (limits.BytesPerSecond > 0) Add(ref _bytesPaidUntil, bytes * Second / limits.BytesPerSecond, now);
    }

    /// <summary>How long there is no room.</summary>
    public TimeSpan Pause(long milliseconds)
    {
        var paidUntil = Math.Max(Volatile.Read(ref _packetsPaidUntil), Volatile.Read(ref _bytesPaidUntil));
        return TimeSpan.FromMilliseconds(Math.Max(0, (paidUntil - (milliseconds * 1_000_000) - Second) / 1_000_000));
    }

    private static void Add(ref long paidUntil, long cost, long now)
    {
        long before;
        do before = Volatile.Read(ref paidUntil);
        while (Interlocked.CompareExchange(ref paidUntil, Math.Max(before, now) + cost, before) != before);
    }
}
