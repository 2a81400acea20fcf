using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Transactions;

internal enum TransactionState
{
    Calling,
    Trying,
    Proceeding,

    /// <summary>A 2xx has passed; more may follow (RFC 6026 §7).</summary>
    Accepted,
    Completed,
    Terminated,
}

/// <summary>
/// What the four machines of RFC 3261 §17 share. WebSocket is a reliable transport: nothing is sent twice (timers A, E and G are
/// not there), and what waits for stray repetitions is over at once (timers D, I, J and K are 0). All calls come under
/// <paramref name="gate"/>, which belongs to the request that is proxied and everything that was made for it.
/// </summary>
/// <param name="request">What began the transaction.</param>
/// <param name="time">The clock.</param>
/// <param name="gate">Held during every event, and taken by the timers.</param>
internal abstract class Transaction(SipRequest request, TimeProvider time, Lock gate) : IDisposable
{
    public static readonly TimeSpan T1 = TimeSpan.FromMilliseconds(500);

    /// <summary>Timers B, F, H, L and M.</summary>
    public static readonly TimeSpan Patience = 64 * T1;

    private ITimer? _timer;

    public SipRequest Request { get; } = request;

    public TransactionState State { get; protected set; }

    /// <summary>Called once when the transaction is over and can be forgotten.</summary>
    public Action? Ended { get; set; }

    protected Lock Gate { get; } = gate;

    public void Dispose() => _timer?.Dispose();

    protected void StartTimer(Action expired)
    {
        _timer?.Dispose();
        _timer = time.CreateTimer(_ => OnTimer(expired), null, Patience, Timeout.InfiniteTimeSpan);
    }

    protected void Terminate()
    {
        if (State == TransactionState.Terminated) return;
        State = TransactionState.Terminated;
        _timer?.Dispose();
        Ended?.Invoke();
    }

    private void OnTimer(Action expired)
    {
        lock (Gate)
        {
            if (State != TransactionState.Terminated) expired();
        }
    }
}

/// <summary>A request that came to us, and the answers that we give.</summary>
/// <param name="request">The request.</param>
/// <param name="send">Sends to whom the request came from; false when it cannot be reached.</param>
/// <param name="time">The clock.</param>
/// <param name="gate">Held during every event.</param>
internal abstract class ServerTransaction(SipRequest request, Func<SipResponse, bool> send, TimeProvider time, Lock gate)
    : Transaction(request, time, gate)
{
    private SipResponse? _last;

    /// <summary>Whether a final answer has been given.</summary>
    public bool IsAnswered => State is TransactionState.Accepted or TransactionState.Completed or TransactionState.Terminated;

    /// <summary>The same request once more, or the ACK of an INVITE.</summary>
    public void Take(SipRequest request)
    {
        lock (Gate) Receive(request);
    }

    /// <summary>Answers; a final answer comes once, but for further 2xx of an INVITE.</summary>
    public void Respond(SipResponse response)
    {
        lock (Gate) Answer(response);
    }

    protected abstract void Receive(SipRequest request);

    protected abstract void Answer(SipResponse response);

    protected void Send(SipResponse response)
    {
        _last = response;
        send(response);
    }

    protected void SendAgain()
    {
        if (_last is not null) send(_last);
    }
}

/// <summary>A request that we send, and the answers that come.</summary>
/// <param name="request">The request, our Via on top.</param>
/// <param name="user">What is told about it.</param>
/// <param name="time">The clock.</param>
/// <param name="gate">Held during every event.</param>
internal abstract class ClientTransaction(SipRequest request, IClientTransactionUser user, TimeProvider time, Lock gate)
    : Transaction(request, time, gate)
{
    /// <summary>From where answers are taken.</summary>
    public string Place => User.Place;

    protected IClientTransactionUser User { get; } = user;

    /// <summary>The request has not been sent yet: who it is for has lost the connection.</summary>
    public bool IsWaiting { get; private set; }

    public abstract void Start();

    public void Take(SipResponse response)
    {
        lock (Gate) Receive(response);
    }

    public void Wait()
    {
        lock (Gate) IsWaiting = State is TransactionState.Calling or TransactionState.Trying;
    }

    /// <summary>Before the request is sent after all; false when it must not be any more.</summary>
    public bool TryGoOn()
    {
        lock (Gate)
        {
            IsWaiting = false;
            return State != TransactionState.Terminated;
        }
    }

    /// <summary>Gives up a request that has no final answer.</summary>
    public void Abandon()
    {
        if (State is TransactionState.Calling or TransactionState.Trying or TransactionState.Proceeding) Terminate();
    }

    /// <summary>There is no way to whom the request is for.</summary>
    public void Undelivered()
    {
        lock (Gate)
        {
            if (State is not (TransactionState.Calling or TransactionState.Trying)) return;
            Terminate();
            User.OnUnreachable();
        }
    }

    protected abstract void Receive(SipResponse response);
}

/// <summary>The proxy's side of a client transaction.</summary>
internal interface IClientTransactionUser
{
    /// <summary>Where the request goes, and where answers to it come from.</summary>
    string Place { get; }

    /// <summary>Sends to whom the request goes; false when it cannot be reached.</summary>
    bool Send(SipRequest request);

    void OnResponse(SipResponse response);

    /// <summary>No answer in time (RFC 3261 §8.1.3.1: as if 408 had come).</summary>
    void OnTimeout();

    /// <summary>The request could not be sent (as if 503 had come; here the callee has gone).</summary>
    void OnUnreachable();
}
