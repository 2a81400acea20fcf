namespace WebRtcIms.Turn.Admission;

/// <summary>Whether requests are sent to Redis.</summary>
internal enum BreakerState
{
    Closed,

    /// <summary>One request probes Redis.</summary>
    HalfOpen,

    /// <summary>No request is sent until the pause ends.</summary>
    Open,
}

/// <summary>
/// Opens for a second after one time-out or a few consecutive errors, so that Allocates do not wait for a Redis that does not answer.
/// Then one request probes Redis. (The circuit breaker of StackExchange.Redis is for a choice between several servers.)
/// </summary>
internal sealed class CircuitBreaker(TimeProvider time)
{
    private const int MaxErrors = 3;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private long _triedAt;
    private int _errors;

    public BreakerState State { get; private set; }

    /// <summary>Whether to send a request now. After true, the caller must call <see cref="Succeeded"/> or <see cref="Failed"/>.</summary>
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

    /// <param name="isSlow">Whether the request timed out. One time-out opens the breaker.</param>
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
