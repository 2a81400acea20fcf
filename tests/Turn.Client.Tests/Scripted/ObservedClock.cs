using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;

namespace WebRtcIms.Turn.Client.Tests.Scripted;

/// <summary>A fake clock that reports which timers were set, so that a test advances it only after that.</summary>
internal sealed class ObservedClock : FakeTimeProvider
{
    private readonly Channel<TimeSpan> _timers = Channel.CreateUnbounded<TimeSpan>();
    private readonly Channel<TimeSpan> _changes = Channel.CreateUnbounded<TimeSpan>();

    /// <summary>The time since the start of this clock.</summary>
    public TimeSpan Elapsed => GetUtcNow() - Start;

    /// <summary>The due time of the next new timer. A test fails without one.</summary>
    public Task<TimeSpan> NextTimerAsync(CancellationToken cancel) =>
        _timers.Reader.ReadAsync(cancel).AsTask().WaitAsync(TimeSpan.FromSeconds(20), cancel);

    /// <summary>The due time of the next existing timer that is set again. A test fails without one.</summary>
    public Task<TimeSpan> NextChangeAsync(CancellationToken cancel) =>
        _changes.Reader.ReadAsync(cancel).AsTask().WaitAsync(TimeSpan.FromSeconds(20), cancel);

    /// <summary>Forgets which timers were set so far.</summary>
    public void Forget()
    {
        while (_timers.Reader.TryRead(out _) || _changes.Reader.TryRead(out _))
        {
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        _timers.Writer.TryWrite(dueTime);
        return new ObservedTimer(timer, _changes.Writer);
    }

    private sealed class ObservedTimer(ITimer timer, ChannelWriter<TimeSpan> changes) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            var isAlive = timer.Change(dueTime, period);
            changes.TryWrite(dueTime);
            return isAlive;
        }

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
