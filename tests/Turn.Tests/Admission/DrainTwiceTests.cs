using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Tests.Admission;

/// <summary>A node that is asked to drain, or to end, more than once.</summary>
public sealed class DrainTwiceTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly AllocationQuotas _quotas = new(new QuotaSettings());
    private readonly ApplicationLifetime _application = new(NullLogger<ApplicationLifetime>.Instance);
    private readonly Drain _drain;

    public DrainTwiceTests() => _drain = new Drain(
        new TurnSettings { Drain = new DrainSettings { Deadline = TimeSpan.FromHours(1) } }, _quotas, _application, _time,
        NullLogger<Drain>.Instance);

    private bool IsStopping => _application.ApplicationStopping.IsCancellationRequested;

    public void Dispose() => _drain.Dispose();

    [Fact]
    public void DrainedTwice_OneResumeIsEnough_AndASecondChangesNothing()
    {
        _drain.Begin();
        _drain.Begin();
        Assert.True(_drain.IsDraining);

        Assert.True(_drain.TryResume());
        Assert.False(_drain.IsDraining);
        Assert.True(_drain.TryResume());
        Assert.False(_drain.IsDraining);
        Assert.False(IsStopping);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("ABUSE-79")]
    public void DrainAndSignal_InEitherOrder_CannotBeResumed(bool drainsFirst)
    {
        using var live = TakePlace();
        if (drainsFirst) _drain.Begin();
        Assert.True(_drain.TryHandleSignal());
        if (!drainsFirst) _drain.Begin();

        Assert.False(_drain.TryResume());
        Assert.True(_drain.IsDraining);
        Assert.False(IsStopping);
    }

    [Fact]
    [Requirement("ABUSE-80")]
    public void FirstSignalWaits_TheSecondEndsAtOnce_TheThirdHasItsOrdinaryEffect()
    {
        using var live = TakePlace();
        Assert.True(_drain.TryHandleSignal());
        _time.Advance(TimeSpan.FromMinutes(59));
        Assert.False(IsStopping);

        Assert.True(_drain.TryHandleSignal());
        Assert.True(SpinWait.SpinUntil(() => IsStopping, TimeSpan.FromSeconds(20)));
        Assert.False(_drain.TryHandleSignal());
        Assert.False(_drain.TryHandleSignal());
    }

    [Fact]
    [Requirement("ABUSE-79")]
    public void LastAllocationEnds_AndTheProcessWithIt()
    {
        var live = TakePlace();
        Assert.True(_drain.TryHandleSignal());
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.False(IsStopping);
        live.Dispose();

        // The poll may be about to set its timer.
        Assert.True(SpinWait.SpinUntil(
            () =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(200));
                return IsStopping;
            },
            TimeSpan.FromSeconds(20)));
        Assert.True(_time.GetUtcNow() - _time.Start < TimeSpan.FromHours(1));
    }

    private AllocationQuotas.Lease TakePlace()
    {
        var place = _quotas.TryTake(InternetAddress.Parse("198.51.100.7"), null);
        Assert.NotNull(place);
        return place;
    }
}
