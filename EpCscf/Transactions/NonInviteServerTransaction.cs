using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Transactions;

/// <summary>RFC 3261 §17.2.2: Trying, Proceeding, Completed. The final response ends it, since timer J is 0.</summary>
internal sealed class NonInviteServerTransaction : ServerTransaction
{
    /// <inheritdoc cref="ServerTransaction(SipRequest, Func{SipResponse, bool}, RequestScope)"/>
    public NonInviteServerTransaction(SipRequest request, Func<SipResponse, bool> send, RequestScope scope)
        : base(request, send, scope) => State = TransactionState.Trying;

    protected override void Receive(SipRequest request)
    {
        if (State == TransactionState.Proceeding) SendAgain();
    }

    protected override void Answer(SipResponse response)
    {
        if (State is not (TransactionState.Trying or TransactionState.Proceeding)) return;
        State = response.IsProvisional ? TransactionState.Proceeding : TransactionState.Completed;
        Send(response);
        if (State == TransactionState.Completed) Terminate();
    }
}
