namespace WebRtcIms.Turn.Engine.Allocations;

/// <summary>What one allocation may relay in each direction (RFC 8656 §5, §21.3.1); 0 for no bound.</summary>
/// <param name="PacketsPerSecond">Datagrams.</param>
/// <param name="BytesPerSecond">Octets of payload.</param>
public readonly record struct TrafficLimits(int PacketsPerSecond, int BytesPerSecond)
{
    /// <summary>Whether there is a limit at all.</summary>
    public bool Any => PacketsPerSecond > 0 || BytesPerSecond > 0;

    /// <summary>What all allocations of one user may relay together: two calls at a time.</summary>
    public TrafficLimits OfUser => new(Double(PacketsPerSecond), Double(BytesPerSecond));

    /// <summary>These limits, and nowhere more than another's.</summary>
    public TrafficLimits Within(TrafficLimits most) =>
        new(Lower(PacketsPerSecond, most.PacketsPerSecond), Lower(BytesPerSecond, most.BytesPerSecond));

    private static int Lower(int limit, int most) => limit <= 0 ? most : most <= 0 ? limit : Math.Min(limit, most);

    private static int Double(int limit) => (int)Math.Min(int.MaxValue, 2L * limit);
}

/// <summary>The traffic of one user's allocations, which several engines may have. Shared by their allocations.</summary>
public sealed class UserTraffic
{
    internal TrafficMeter ToPeers { get; } = new();

    internal TrafficMeter ToClient { get; } = new();
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

    /// <summary>
    /// For a stream, of which nothing can be dropped: pays for what has been read, and returns how long nothing more may be. Each read
    /// counts as a packet.
    /// </summary>
    public TimeSpan Charge(int bytes, TrafficLimits limits, long milliseconds)
    {
        Pay(bytes, limits, milliseconds);
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
