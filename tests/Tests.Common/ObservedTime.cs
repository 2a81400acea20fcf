using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;

namespace WebRtcIms.Tests.Common;

/// <summary>A clock that the test moves. It counts the timers, so that a test can move it after a service has set its timer.</summary>
public sealed class ObservedTime(DateTimeOffset start) : FakeTimeProvider(start)
{
    private readonly ConcurrentQueue<TimeSpan> _dueTimes = new();

    /// <summary>The number of timers that were set to this time.</summary>
    public int Timers(TimeSpan dueTime) => _dueTimes.Count(due => due == dueTime);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        _dueTimes.Enqueue(dueTime);
        return timer;
    }
}
