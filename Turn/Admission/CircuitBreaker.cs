namespace WebRtcIms.Turn.Admission;

/// <summary>Whether Redis is asked at all.</summary>
internal enum BreakerState
{
    Closed,

    /// <summary>One request is trying.</summary>
    HalfOpen,

    /// <summary>Nobody asks for a while.</summary>
    Open,
}

/// <summary>
/// Keeps Allocates from waiting, one after the other, for a Redis that does not answer: a time-out, or a few errors in a row, and
/// for a second nobody asks; then one tries for all. (The one of StackExchange.Redis chooses between several servers.)
/// </summary>
internal sealed class CircuitBreaker(TimeProvider time)
{
    private const int MaxErrors = 3;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private long _triedAt;
    private int _errors;

    public BreakerState State { get; private set; }

    /// <summary>Whether to ask now. Who may must call <see cref="Succeeded"/> or <see cref="Failed"/>.</summary>
    public bool TryEnter()
    {
        if (State == BreakerState.Closed) return true;
        lock (_gate)
        {
            if (State == BreakerState.Closed) return true;
            if (time.GetElapsedTime(_triedAt) < Pause) return false;
            State = BreakerState.HalfOpen;
            _triedAt = time.GetTimestamp();
            return true;
        }
    }

    public void Succeeded()
    {
        if (State == BreakerState.Closed && _errors == 0) return;
        lock (_gate)
        {
            State = BreakerState.Closed;
            _errors = 0;
        }
    }

    /// <param name="isSlow">It cost the whole budget, so once is enough.</param>
    public void Failed(bool isSlow)
    {
        lock (_gate)
        {
            _errors++;
            if (State == BreakerState.Closed && !isSlow && _errors < MaxErrors) return;
            State = BreakerState.Open;
            _triedAt = time.GetTimestamp();
        }
    }
}
