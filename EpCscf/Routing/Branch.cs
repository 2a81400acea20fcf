using System.Diagnostics;
using System.Globalization;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Transactions;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>What a branch needs besides its own request.</summary>
internal sealed record BranchServices(Delivery Delivery, TransactionTable Transactions, TimeProvider Time);

/// <summary>
/// One of the places that a request is forwarded to (RFC 3261 §16.6, §16.7): its client transaction, timer C, its CANCEL.
/// </summary>
/// <param name="request">As it is sent.</param>
/// <param name="target">Where to.</param>
/// <param name="replica">Where that is connected, when not here.</param>
/// <param name="owner">Is told of answers.</param>
/// <param name="services">All branches have the same.</param>
/// <param name="gate">Held during every event.</param>
/// <param name="span">Ends with the final answer.</param>
internal sealed class Branch(
    SipRequest request, BindingId target, string? replica, ProxiedRequest owner, BranchServices services, Lock gate, Activity? span) : IClientTransactionUser
{
    /// <summary>How long a phone may ring (§16.6 step 11: more than three minutes).</summary>
    public static readonly TimeSpan TimerC = TimeSpan.FromSeconds(190);

    private ClientTransaction? _transaction;
    private ITimer? _timer;
    private bool _isRinging;
    private bool _isCancelled;
    private bool _isCancelSent;
    private bool _hasRungOut;

    /// <summary>The final answer, our Via taken off; null until there is one.</summary>
    public SipResponse? Final { get; private set; }

    public BindingId Target { get; } = target;

    public string Place { get; } = target.ToString();

    private bool IsInvite => request.Method == Method.Invite;

    public void Start()
    {
        _transaction = IsInvite ? new InviteClientTransaction(request, this, services.Time, gate) : new NonInviteClientTransaction(request, this, services.Time, gate);
        services.Transactions.Add(_transaction);
        if (IsInvite) StartTimerC();
        _transaction.Start();
    }

    public bool Send(SipRequest message) => Send(message, message == request ? _transaction : null);

    /// <param name="response">As it came, our Via on top.</param>
    public void OnResponse(SipResponse response)
    {
        var forwarded = response.Copy();
        forwarded.Headers.Pop(HeaderName.Via);
        if (response.IsProvisional)
        {
            _isRinging = true;
            if (_isCancelled) SendCancel();
            else if (IsInvite && response.StatusCode > 100) StartTimerC();
            owner.OnProvisional(this, forwarded);
            return;
        }

        // The 487 to a CANCEL that nobody but timer C asked for says that nobody answered.
        if (_hasRungOut && response.StatusCode == 487) End(Stopped());
        else End(forwarded);
    }

    public void OnTimeout() => End(_isCancelled ? Stopped() : Here(408, "Request Timeout"));

    public void OnUnreachable() => End(Here(480, "Temporarily Unavailable"));

    /// <summary>
    /// Stops an INVITE that has not been answered (§9.1): at once when it rings, else as soon as it does. A place that answers
    /// neither INVITE nor CANCEL is given up.
    /// </summary>
    public void Cancel()
    {
        if (!IsInvite || Final is not null || _isCancelled) return;
        _isCancelled = true;
        if (_isRinging)
        {
            SendCancel();
        }
        else if (_transaction is null or { IsWaiting: true })
        {
            End(Stopped());
        }
    }

    private void SendCancel()
    {
        if (_isCancelSent) return;
        _isCancelSent = true;
        StartTimer(Transaction.Patience, () => End(Stopped()));
        var headers = new SipHeaders();
        headers.Add(HeaderName.Via, request.Headers.Values(HeaderName.Via).First());
        headers.CopyFrom(request.Headers, HeaderName.Route);
        headers.Add(HeaderName.MaxForwards, "70");
        headers.CopyFrom(request.Headers, HeaderName.From);
        headers.CopyFrom(request.Headers, HeaderName.To);
        headers.CopyFrom(request.Headers, HeaderName.CallId);
        headers.Add(HeaderName.CSeq, string.Create(CultureInfo.InvariantCulture, $"{request.CSeq.Number} {Method.Cancel}"));
        if (owner.IsAnswered) headers.Add(HeaderName.Reason, "SIP;cause=200;text=\"Call completed elsewhere\"");
        var cancel = new SipRequest
        {
            Method = Method.Cancel,
            Uri = request.Uri,
            Headers = headers,
            From = request.From,
            To = request.To,
            CallId = request.CallId,
            CSeq = request.CSeq with { Method = Method.Cancel },
        };
        var user = new CancelUser(this);
        user.Transaction = new NonInviteClientTransaction(cancel, user, services.Time, gate);
        services.Transactions.Add(user.Transaction);
        user.Transaction.Start();
    }

    private bool Send(SipRequest message, ClientTransaction? transaction)
    {
        services.Delivery.Send(Target, replica, SipWriter.Write(message), transaction);
        return true;
    }

    private void End(SipResponse final)
    {
        // A second 2xx (§16.7 step 5: forwarded, too) does not end what has ended.
        if (Final is null)
        {
            Final = final;
            _transaction?.Abandon();
            _timer?.Dispose();
            _timer = null;
            EpCscfTelemetry.End(span, final.StatusCode);
        }
        else if (!final.IsSuccess)
        {
            return;
        }

        owner.OnFinal(this, final);
    }

    private SipResponse Stopped() => _hasRungOut ? Here(408, "No Answer") : Here(487, "Request Terminated");

    private SipResponse Here(int statusCode, string reason)
    {
        var response = request.Answer(statusCode, reason, SipRequest.NewTag());
        response.Headers.Pop(HeaderName.Via);
        return response;
    }

    private void StartTimerC() => StartTimer(TimerC, () =>
    {
        _hasRungOut = true;
        if (_isRinging) Cancel();
        else End(Stopped());
    });

    private void StartTimer(TimeSpan delay, Action expired)
    {
        _timer?.Dispose();
        _timer = services.Time.CreateTimer(
            _ =>
            {
                lock (gate)
                {
                    if (Final is null) expired();
                }
            },
            null, delay, Timeout.InfiniteTimeSpan);
    }

    // What comes of the CANCEL itself does not matter: the INVITE's own answer does.
    private sealed class CancelUser(Branch branch) : IClientTransactionUser
    {
        public string Place => branch.Place;

        public ClientTransaction? Transaction { get; set; }

        public bool Send(SipRequest request) => branch.Send(request, Transaction);

        public void OnResponse(SipResponse response)
        {
        }

        public void OnTimeout()
        {
        }

        public void OnUnreachable()
        {
        }
    }
}
