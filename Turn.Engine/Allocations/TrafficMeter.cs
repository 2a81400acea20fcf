namespace WebRtcIms.Turn.Engine.Allocations;

/// <summary>What one allocation may relay in each direction (RFC 8656 §5, §21.3.1); 0 for no bound.</summary>
/// <param name="PacketsPerSecond">Datagrams.</param>
/// <param name="BytesPerSecond">Octets of payload.</param>
public readonly record struct TrafficLimits(int PacketsPerSecond, int BytesPerSecond)
{
    /// <summary>Whether there is a limit at all.</summary>
    public bool Any => PacketsPerSecond > 0 || BytesPerSecond > 0;
}

/// <summary>
/// Holds one direction of an allocation to its limits: token buckets that hold a second's worth, each as the one number up to
/// which the traffic so far is paid for. Datagrams above a limit are dropped, as a full queue would drop them; a stream waits.
/// </summary>
internal sealed class TrafficMeter
{
    private const long Second = 1_000_000_000;

    // Nanoseconds of the engine's time. In the past, the bucket is full.
    private long _packetsPaidUntil;
    private long _bytesPaidUntil;

    public bool TryAcquire(int bytes, TrafficLimits limits, long milliseconds)
    {
        var now = milliseconds * 1_000_000;
        if (limits.PacketsPerSecond > 0 && _packetsPaidUntil - now >= Second) return false;
        if (limits.BytesPerSecond > 0 && _bytesPaidUntil - now >= Second) return false;

        Pay(bytes, limits, now);
        return true;
    }

    /// <summary>
    /// For a stream, of which nothing can be dropped: takes what has been read, and says how long nothing more may be. Each read counts as
    /// a packet.
    /// </summary>
    public TimeSpan Charge(int bytes, TrafficLimits limits, long milliseconds)
    {
        var now = milliseconds * 1_000_000;
        Pay(bytes, limits, now);
        return TimeSpan.FromMilliseconds(Math.Max(0, (Math.Max(_packetsPaidUntil, _bytesPaidUntil) - now - Second) / 1_000_000));
    }

    private void Pay(int bytes, TrafficLimits limits, long now)
    {
        if (limits.PacketsPerSecond > 0) _packetsPaidUntil = Math.Max(_packetsPaidUntil, now) + (Second / limits.PacketsPerSecond);
        if (limits.BytesPerSecond > 0) _bytesPaidUntil = Math.Max(_bytesPaidUntil, now) + (bytes * Second / limits.BytesPerSecond);
    }
}
