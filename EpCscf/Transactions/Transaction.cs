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
/// The common part of the four state machines of RFC 3261 §17. WebSocket is a reliable transport. So nothing is retransmitted (there are
/// no timers A, E and G), and no state waits for retransmissions (timers D, I, J and K are 0). All calls run under the gate of the scope.
/// </summary>
internal abstract class Transaction(SipRequest request, RequestScope scope)
{
    public static readonly TimeSpan T1 = TimeSpan.FromMilliseconds(500);

    /// <summary>64*T1: timers B, F, H, L and M.</summary>
    public static readonly TimeSpan Timeout = 64 * T1;

    private readonly RequestTimer _timer = new(scope);

    public SipRequest Request { get; } = request;

    public RequestScope Scope { get; } = scope;

    public TransactionState State { get; protected set; }

    /// <summary>Called once, when the transaction is over and can be forgotten.</summary>
    public Action? Ended { get; set; }

    protected void StartTimer(Action expired) => _timer.Start(Timeout, expired);

    protected void Terminate()
    {
        if (State == TransactionState.Terminated) return;
        State = TransactionState.Terminated;
        _timer.Stop();
        Ended?.Invoke();
    }
}

/// <summary>A request that this server received, and the responses to it.</summary>
/// <param name="request">The request.</param>
/// <param name="send">Sends to the client that the request came from; false if that is not possible.</param>
/// <param name="scope">The scope of the request.</param>
internal abstract class ServerTransaction(SipRequest request, Func<SipResponse, bool> send, RequestScope scope)
    : Transaction(request, scope)
{
    private SipResponse? _last;

    /// <summary>Whether a final response has been sent.</summary>
    public bool IsAnswered => State is TransactionState.Accepted or TransactionState.Completed or TransactionState.Terminated;

    /// <summary>A retransmission of the request, or the ACK of an INVITE.</summary>
    public void Handle(SipRequest request)
    {
        lock (Scope.Gate) Receive(request);
    }

    /// <summary>Sends a response. Only the first final response is sent, and further 2xx of an INVITE.</summary>
    public void Respond(SipResponse response)
    {
        lock (Scope.Gate) Answer(response);
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

/// <summary>A request that this server sends, and the responses to it.</summary>
/// <param name="request">The request, our Via on top.</param>
/// <param name="user">Is notified of every event.</param>
/// <param name="scope">The scope of the request.</param>
internal abstract class ClientTransaction(SipRequest request, IClientTransactionUser user, RequestScope scope) : Transaction(request, scope)
{
    private bool _isSentAgain;

    /// <inheritdoc cref="IClientTransactionUser.RemoteId"/>
    public string RemoteId => User.RemoteId;

    protected IClientTransactionUser User { get; } = user;

    /// <summary>The request has not been sent yet, because the target has lost its connection.</summary>
    public bool IsWaiting { get; private set; }

    public void Start()
    {
        if (User.Send(Request))
        {
            StartTimer(OnTimeout);
        }
        else
        {
            Terminate();
            User.OnUnreachable();
        }
    }

    public void Handle(SipResponse response)
    {
        lock (Scope.Gate) Receive(response);
    }

    public void Wait()
    {
        lock (Scope.Gate) IsWaiting = State is TransactionState.Calling or TransactionState.Trying;
    }

    /// <summary>Call it before the request is sent after all. False when the request must not be sent any more.</summary>
    public bool TryResume()
    {
        lock (Scope.Gate)
        {
            (IsWaiting, _isSentAgain) = (false, true);
            return State != TransactionState.Terminated;
        }
    }

    /// <summary>
    /// Whether a request may be sent again over another connection: there is no response, and it was sent only once. The other side takes
    /// it for a retransmission if it has it already.
    /// </summary>
    public bool TrySendAgain()
    {
        if (IsWaiting || _isSentAgain || State is not (TransactionState.Calling or TransactionState.Trying)) return false;
        _isSentAgain = true;
        return true;
    }

    /// <summary>Gives up a request that has no final response.</summary>
    public void Abandon()
    {
        if (State is TransactionState.Calling or TransactionState.Trying or TransactionState.Proceeding) Terminate();
    }

    /// <summary>The request could not be delivered.</summary>
    public void OnUndelivered()
    {
        lock (Scope.Gate)
        {
            if (State is not (TransactionState.Calling or TransactionState.Trying)) return;
            Terminate();
            User.OnUnreachable();
        }
    }

    protected abstract void Receive(SipResponse response);

    /// <summary>Timer B or F.</summary>
    protected virtual void OnTimeout()
    {
        Terminate();
        User.OnTimeout();
    }
}

/// <summary>The proxy's side of a client transaction.</summary>
internal interface IClientTransactionUser
{
    /// <summary>Identifies the remote side: the request goes there, and only its responses are accepted.</summary>
    string RemoteId { get; }

    /// <summary>Sends to the remote side; false if that is not possible.</summary>
    bool Send(SipRequest request);

    void OnResponse(SipResponse response);

    /// <summary>There was no response in time (RFC 3261 §8.1.3.1: as if 408 had come).</summary>
    void OnTimeout();

    /// <summary>The request could not be sent (RFC 3261 §8.1.3.1: as if 503 had come; here the callee has gone).</summary>
    void OnUnreachable();
}
