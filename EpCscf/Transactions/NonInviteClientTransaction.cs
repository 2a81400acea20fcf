using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Transactions;

/// <summary>RFC 3261 §17.1.2: Trying, Proceeding. The final response ends it (timer K is 0), or timer F after 32 s.</summary>
internal sealed class NonInviteClientTransaction : ClientTransaction
{
    /// <inheritdoc cref="ClientTransaction(SipRequest, IClientTransactionUser, RequestScope)"/>
    public NonInviteClientTransaction(SipRequest request, IClientTransactionUser user, RequestScope scope)
        : base(request, user, scope) => State = TransactionState.Trying;

    protected override void Receive(SipResponse response)
    {
        if (State is not (TransactionState.Trying or TransactionState.Proceeding)) return;
        State = response.IsProvisional ? TransactionState.Proceeding : TransactionState.Completed;
        if (State == TransactionState.Completed) Terminate();
        User.OnResponse(response);
    }
}
