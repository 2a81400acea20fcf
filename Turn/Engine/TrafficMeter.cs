namespace WebRtcIms.Turn.Engine;

/// <summary>What one allocation may relay in each direction (RFC 8656 §5, §21.3.1); 0 for no bound.</summary>
/// <param name="PacketsPerSecond">Datagrams.</param>
/// <param name="BytesPerSecond">Octets of payload.</param>
internal readonly record struct TrafficLimits(int PacketsPerSecond, int BytesPerSecond)
{
    public bool Any => PacketsPerSecond > 0 || BytesPerSecond > 0;
}

/// <summary>
/// Holds one direction of an allocation to its limits: token buckets that hold a second's worth, each as the one number up to
/// which the traffic so far is paid for. What exceeds a limit is dropped, as a full queue would drop it.
/// </summary>
internal sealed class TrafficMeter
{
    private const long Second = 1_000_000_000;

    // Nanoseconds of the engine's time. In the past, the bucket is full.
    private long _packetsPaidUntil;
    private long _bytesPaidUntil;

    public bool TryTake(int bytes, TrafficLimits limits, long milliseconds)
    {
        var now = milliseconds * 1_000_000;
        if (limits.PacketsPerSecond > 0 && _packetsPaidUntil - now >= Second) return false;
        if (limits.BytesPerSecond > 0 && _bytesPaidUntil - now >= Second) return false;

        if (limits.PacketsPerSecond > 0) _packetsPaidUntil = Math.Max(_packetsPaidUntil, now) + (Second / limits.PacketsPerSecond);
        if (limits.BytesPerSecond > 0) _bytesPaidUntil = Math.Max(_bytesPaidUntil, now) + (bytes * Second / limits.BytesPerSecond);
        return true;
    }
}
