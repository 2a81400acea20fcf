using System.Collections.Concurrent;

namespace WebRtcIms.Turn.Telemetry;

/// <summary>
/// Packets and octets of one direction: a counter for each server, for workers share nothing, and added up only when read.
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
