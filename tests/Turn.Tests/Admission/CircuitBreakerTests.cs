using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Turn.Admission;

namespace WebRtcIms.Turn.Tests.Admission;

public sealed class CircuitBreakerTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly CircuitBreaker _breaker;

    public CircuitBreakerTests() => _breaker = new CircuitBreaker(_clock);

    [Fact]
    public void OneTimeout_OpensForASecond_ThenOneTriesForAll()
    {
        Assert.True(_breaker.TryEnter());
        _breaker.Failed(isSlow: true);
        Assert.Equal(BreakerState.Open, _breaker.State);
        _clock.Advance(TimeSpan.FromMilliseconds(999));
        Assert.False(_breaker.TryEnter());

        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(_breaker.TryEnter());
        Assert.Equal(BreakerState.HalfOpen, _breaker.State);
        Assert.False(_breaker.TryEnter());
        _breaker.Succeeded();
        Assert.Equal(BreakerState.Closed, _breaker.State);
        Assert.True(_breaker.TryEnter());
        Assert.True(_breaker.TryEnter());
    }

    [Fact]
    public void FailedTry_OpensForAnotherSecond()
    {
        _breaker.Failed(isSlow: true);
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.True(_breaker.TryEnter());
        _breaker.Failed(isSlow: false);

        Assert.Equal(BreakerState.Open, _breaker.State);
        _clock.Advance(TimeSpan.FromMilliseconds(999));
        Assert.False(_breaker.TryEnter());
    }

    [Fact]
    public void ErrorsThatComeAtOnce_OpenAfterThreeInARow()
    {
        _breaker.Failed(isSlow: false);
        _breaker.Failed(isSlow: false);
        _breaker.Succeeded();
        _breaker.Failed(isSlow: false);
        _breaker.Failed(isSlow: false);
        Assert.Equal(BreakerState.Closed, _breaker.State);

        _breaker.Failed(isSlow: false);
        Assert.Equal(BreakerState.Open, _breaker.State);
    }
}
