namespace WebRtcIms.EpCscf.Transactions;

/// <summary>
/// Shared by a request's own transaction and by all that it is forwarded as. Every event of these runs under <see cref="Gate"/>, so that
/// they see each other's state without further locks.
/// </summary>
internal sealed class RequestScope(TimeProvider time, Activity? span = null)
{
    /// <summary>Held during every event, and entered by the timers.</summary>
    public Lock Gate { get; private init; } = new();

    public TimeProvider Time { get; } = time;

    /// <summary>Ends with the final answer.</summary>
    public Activity? Span { get; } = span;

    /// <summary>The same request with the span of one of its branches.</summary>
    public RequestScope With(Activity? span) => new(Time, span) { Gate = Gate };
}

/// <summary>One timer of a request. Its action runs under the gate of the request.</summary>
internal sealed class RequestTimer(RequestScope scope)
{
    private ITimer? _timer;

    // A timer that was stopped or started anew may already wait for the gate.
    private int _starts;

    /// <summary>Starts the timer anew. Call it under the gate.</summary>
    public void Start(TimeSpan delay, Action expired)
    {
        Stop();
        var start = _starts;
        _timer = scope.Time.CreateTimer(
            _ =>
            {
                lock (scope.Gate)
                {
                    if (start == _starts) expired();
                }
            },
            null, delay, Timeout.InfiniteTimeSpan);
    }

    public void Stop()
    {
        _starts++;
        _timer?.Dispose();
        _timer = null;
    }
}
