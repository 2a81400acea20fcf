using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Telemetry;
using WebRtcIms.EpCscf.Transactions;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>A request as it is forwarded to one binding.</summary>
/// <param name="Request">The copy to send.</param>
/// <param name="Target">The binding.</param>
/// <param name="Replica">The replica that has the binding's connection; null if it is this one.</param>
/// <param name="Dialog">The dialogue that it belongs to or may begin.</param>
internal sealed record ForwardedRequest(SipRequest Request, BindingId Target, string? Replica, Dialog? Dialog);

internal sealed record BranchServices(
    Delivery Delivery, TransactionTable Transactions, RouteTokens Routes, EndedDialogs EndedDialogs, EpCscfTelemetry Telemetry);

/// <summary>One of the targets of a request (RFC 3261 §16.6, §16.7): its client transaction, timer C and CANCEL.</summary>
/// <param name="forwarded">The request and its target.</param>
/// <param name="owner">Is notified of responses.</param>
/// <param name="services">The services that all branches share.</param>
/// <param name="scope">The scope of the request, with the span of this branch.</param>
internal sealed class Branch(ForwardedRequest forwarded, ProxiedRequest owner, BranchServices services, RequestScope scope)
    : IClientTransactionUser
{
    /// <summary>How long a phone may ring (§16.6 step 11: more than three minutes).</summary>
    public static readonly TimeSpan TimerC = TimeSpan.FromSeconds(190);

    private readonly SipRequest _request = forwarded.Request;
    private readonly RequestTimer _timer = new(scope);
    private ClientTransaction? _transaction;
    private bool _isProceeding;
    private bool _isCancelled;
    private bool _isCancelSent;
    private bool _hasTimerCFired;

    /// <summary>The final response without our Via; null until there is one.</summary>
    public SipResponse? Final { get; private set; }

    public BindingId Target => forwarded.Target;

    public string RemoteId { get; } = forwarded.Target.ToString();

    private bool IsInvite => _request.Method == Method.Invite;

    public void Start()
    {
        _transaction = IsInvite
            ? new InviteClientTransaction(_request, this, scope) : new NonInviteClientTransaction(_request, this, scope);
        services.Transactions.Add(_transaction);
        if (IsInvite) StartTimerC();
        // The side that gets the BYE has nothing more to ask, whichever answer it gives.
        if (_request.Method == Method.Bye && forwarded.Dialog is { } dialog) services.EndedDialogs.Add(dialog, Target);
        _transaction.Start();
    }

    /// <summary>
    /// The target has another connection. A request without a response may have been lost with the former one, or with its replica.
    /// </summary>
    public void OnReconnected()
    {
        if (_transaction?.TrySendAgain() == true)
            services.Delivery.Send(Target, replica: null, SipWriter.Write(_request), _transaction);
    }

    public bool Send(SipRequest message) => Send(message, ReferenceEquals(message, _request) ? _transaction : null);

    /// <param name="response">The response with our Via on top.</param>
    public void OnResponse(SipResponse response)
    {
        if (response.IsProvisional)
        {
            _isProceeding = true;
            if (_isCancelled) SendCancel();
            else if (IsInvite && response.StatusCode > 100) StartTimerC();
            if (response.Problem is null) owner.OnProvisional(this, ToForward(response));
            return;
        }

        var copy = response.Problem is null ? ToForward(response) : Replacement(response);

        // If timer C sent the CANCEL, the 487 to it means that there was no answer.
        if (_hasTimerCFired && response.StatusCode == 487) End(CancelResult());
        else End(copy);
    }

    public void OnTimeout() => End(_isCancelled ? CancelResult() : LocalResponse(408, "Request Timeout"));

    public void OnUnreachable() => End(LocalResponse(480, "Temporarily Unavailable"));

    /// <summary>
    /// Stops an INVITE without a final response (§9.1): at once if it has a provisional response, otherwise when that comes. A target that
    /// answers neither the INVITE nor the CANCEL is given up.
    /// </summary>
    public void Cancel()
    {
        if (!IsInvite || Final is not null || _isCancelled) return;
        _isCancelled = true;
        if (_isProceeding)
        {
            SendCancel();
        }
        else if (_transaction is null or { IsWaiting: true })
        {
            End(CancelResult());
        }
    }

    private SipResponse ToForward(SipResponse response)
    {
        var copy = response.Copy();
        copy.Headers.Pop(HeaderName.Via);
        SetRecordRoute(copy);
        return copy;
    }

    /// <summary>
    /// For a response that could not be read. A refusal stays what it is. A success has no meaning without its header fields.
    /// </summary>
    private SipResponse Replacement(SipResponse response) => response.IsSuccess || response.StatusCode == 502
        ? LocalResponse(502, $"Bad Gateway: response of the callee: {response.Problem}")
        : LocalResponse(response.StatusCode, "Refused");

    private void SendCancel()
    {
        if (_isCancelSent) return;
        _isCancelSent = true;
        _timer.Start(Transaction.Timeout, () => End(CancelResult()));
        var cancel = _request.Derive(Method.Cancel, _request);
        if (owner.IsAnswered) cancel.Headers.Add(HeaderName.Reason, "SIP;cause=200;text=\"Call completed elsewhere\"");
        var user = new CancelUser(this);
        user.Transaction = new NonInviteClientTransaction(cancel, user, scope);
        services.Transactions.Add(user.Transaction);
        user.Transaction.Start();
    }

    private bool Send(SipRequest message, ClientTransaction? transaction) =>
        services.Delivery.Send(Target, forwarded.Replica, SipWriter.Write(message), transaction);

    private void End(SipResponse final)
    {
        // A second 2xx is also forwarded (§16.7 step 5), but the branch has ended already.
        if (Final is null)
        {
            Final = final;
            _transaction?.Abandon();
            _timer.Stop();
            if (forwarded.Dialog is { } dialog && EndsDialog(final))
            {
                var isNew = services.EndedDialogs.Add(dialog, dialog.Caller, dialog.Callee);
                // A call ends once, however many BYEs its two sides send.
                if (isNew && _request.IsInDialog) services.Telemetry.CallEnded(CallEnd.ReasonOf(_request), scope.Span);
            }

            EpCscfTelemetry.End(scope.Span, final.StatusCode);
        }
        else if (!final.IsSuccess)
        {
            return;
        }

        owner.OnFinal(this, final);
    }

    // §16.7 step 8: the caller gets a token of its own, and only for a dialogue that the response begins.
    private void SetRecordRoute(SipResponse response)
    {
        response.Headers.Remove(HeaderName.RecordRoute);
        if (forwarded.Dialog is { } dialog && !_request.IsInDialog && response.StatusCode is > 100 and < 300)
            response.Headers.Add(HeaderName.RecordRoute, services.Routes.ForCaller(dialog, _request, response));
    }

    // §15.1.1: a BYE also ends the dialogue if the other side does not know it, or does not answer. After another answer, the sender may
    // try again.
    private bool EndsDialog(SipResponse final) => _request.IsInDialog
        ? _request.Method == Method.Bye && (final.IsSuccess || final.StatusCode is 408 or 481)
        : !final.IsSuccess;

    private SipResponse CancelResult() => _hasTimerCFired ? LocalResponse(408, "No Answer") : LocalResponse(487, "Request Terminated");

    private SipResponse LocalResponse(int statusCode, string reason)
    {
        var response = _request.Answer(statusCode, reason, SipRequest.NewTag());
        response.Headers.Pop(HeaderName.Via);
        return response;
    }

    private void StartTimerC() => _timer.Start(TimerC, () =>
    {
        _hasTimerCFired = true;
        if (_isProceeding) Cancel();
        else End(CancelResult());
    });

    // The result of the CANCEL itself does not matter. The final response to the INVITE does.
    private sealed class CancelUser(Branch branch) : IClientTransactionUser
    {
        public string RemoteId => branch.RemoteId;

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
