using System.Collections.Concurrent;

namespace WebRtcIms.Turn.Telemetry;

/// <summary>
/// Packets and octets of one direction. Each worker has a counter of its own; a read adds them up.
/// </summary>
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

/// <summary>The packets and octets of one worker in one direction. One thread at a time counts; any thread may read.</summary>
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
