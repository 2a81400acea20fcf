using System.Runtime.InteropServices;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>Draining by an operator and by signals, on a clock that the test moves.</summary>
public sealed class DrainSignalTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly TimerClock _clock = new();
    private readonly AllocationQuotas _allocations = new(new QuotaSettings());
    private readonly ApplicationLifetime _application = new(NullLogger<ApplicationLifetime>.Instance);
    private readonly LogRecorder _log = new();
    private Drain? _drain;

    private bool IsStopped => _application.ApplicationStopping.IsCancellationRequested;

    public void Dispose()
    {
        _drain?.Dispose();
        _log.Dispose();
    }

    [Fact]
    [Requirement("ABUSE-79")]
    public void FirstSignal_WithAnAllocation_StopsTheProcessWhenItHasEnded()
    {
        var drain = NewDrain(TimeSpan.FromMinutes(5));
        var lease = TakePlace();
        Assert.False(drain.IsDraining);

        Assert.True(Signal(drain));
        AssertWaits(1);
        Assert.True(drain.IsDraining);
        _clock.Advance(TimeSpan.FromMilliseconds(200));
        AssertWaits(2);
        lease.Dispose();
        _clock.Advance(TimeSpan.FromMilliseconds(199));
        Assert.False(IsStopped);
        _clock.Advance(TimeSpan.FromMilliseconds(1));

        AssertStops();
        Assert.True(drain.IsDraining);
    }

    [Fact]
    [Requirement("ABUSE-79")]
    public void FirstSignal_WithAnAllocationThatStays_StopsTheProcessAtTheDeadline()
    {
        var drain = NewDrain(TimeSpan.FromMilliseconds(400));
        using var lease = TakePlace();

        Signal(drain);
        AssertWaits(1);
        _clock.Advance(TimeSpan.FromMilliseconds(200));
        AssertWaits(2);
        _clock.Advance(TimeSpan.FromMilliseconds(200));

        AssertStops();
        Assert.Equal(2, _clock.Timers);
        Assert.Contains("its 1 allocations have ended, in 00:00:00.4", Assert.Single(_log.Records), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(300, false)]
    [Requirement("ABUSE-79")]
    public void FirstSignal_WithoutADeadlineOrAnAllocation_StopsTheProcessAtOnce(int seconds, bool hasAllocation)
    {
        var drain = NewDrain(TimeSpan.FromSeconds(seconds));
        using var lease = hasAllocation ? TakePlace() : null;

        Signal(drain);

        AssertStops();
        Assert.Empty(_log.Records);
        Assert.Equal(0, _clock.Timers);
    }

    [Fact]
    [Requirement("ABUSE-80")]
    public void SecondSignal_StopsTheProcessAtOnce_AndTheThirdHasItsDefaultEffect()
    {
        var drain = NewDrain(TimeSpan.FromHours(1));
        using var lease = TakePlace();
        Assert.True(Signal(drain));
        AssertWaits(1);
        Assert.False(IsStopped);

        Assert.True(Signal(drain));
        AssertStops();

        Assert.False(Signal(drain));
        Assert.Single(_log.Records);
    }

    [Fact]
    [Requirement("ABUSE-79")]
    public void Operator_DrainsTwiceAndResumes_ButNotAfterASignal()
    {
        var drain = NewDrain(TimeSpan.FromHours(1));
        using var lease = TakePlace();
        drain.Begin();
        drain.Begin();
        Assert.True(drain.IsDraining);

        Assert.True(drain.TryResume());
        Assert.False(drain.IsDraining);
        Assert.False(IsStopped);

        drain.Begin();
        Signal(drain);
        Assert.False(drain.TryResume());
        Assert.True(drain.IsDraining);
    }

    [Theory]
    [InlineData("", "198.51.100.7", null)]
    [InlineData("192.0.2.7", "198.51.100.7", "192.0.2.7:3478")]
    [InlineData("192.0.2.7:5349", "198.51.100.7", "192.0.2.7:5349")]
    [InlineData("192.0.2.7", "2001:db8::1", null)]
    [InlineData("[2001:db8::7]:5349", "198.51.100.7", null)]
    [InlineData("192.0.2.7,2001:db8::7", "2001:db8::1", "[2001:db8::7]:3478")]
    [InlineData("192.0.2.7,2001:db8::7", "198.51.100.7", "192.0.2.7:3478")]
    [Requirement("TURN-A35")]
    public void AlternateServer_IsOfTheClientsFamily_WithThePortThatTheClientUses(string setting, string client, string? expected)
    {
        var drain = NewDrain(TimeSpan.Zero, setting);
        var flow = new FiveTuple(
            ClientTransport.Udp, new TransportAddress(InternetAddress.Parse(client), 40_000),
            new TransportAddress(InternetAddress.Parse("192.0.2.1"), 3478));

        Assert.Equal(expected, drain.AlternateFor(flow)?.ToString());
    }

    private Drain NewDrain(TimeSpan deadline, string? alternates = null)
    {
        var settings = new TurnSettings { Drain = { Deadline = deadline, AlternateServer = alternates } };
        return _drain = new Drain(
            settings, _allocations, _application, _clock, new LoggerFactory([_log]).CreateLogger<Drain>());
    }

    private AllocationQuotas.Lease TakePlace() => _allocations.TryTake(Claims.Of(InternetAddress.Parse("198.51.100.7")))!;

    /// <summary>Whether the signal has no default effect.</summary>
    private static bool Signal(Drain drain)
    {
        var context = new PosixSignalContext(PosixSignal.SIGTERM);
        drain.OnSignal(context);
        return context.Cancel;
    }

    private void AssertWaits(int timers)
    {
        Assert.True(SpinWait.SpinUntil(() => _clock.Timers == timers, Limit));
        Assert.False(IsStopped);
    }

    private void AssertStops() => Assert.True(SpinWait.SpinUntil(() => IsStopped, Limit));

    /// <summary>Counts the timers, so that a test can wait for the next one.</summary>
    private sealed class TimerClock : FakeTimeProvider
    {
        private int _timers;

        public int Timers => Volatile.Read(ref _timers);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            Interlocked.Increment(ref _timers);
            return timer;
        }
    }
}
