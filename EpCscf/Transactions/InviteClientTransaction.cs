using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Transactions;

/// <summary>
/// RFC 3261 §17.1.1 with RFC 6026 §7.2: Calling, Proceeding, then Accepted for every 2xx of the next 32 s. Another final response ends it
/// with an ACK.
/// </summary>
internal sealed class InviteClientTransaction : ClientTransaction
{
    /// <inheritdoc cref="ClientTransaction(SipRequest, IClientTransactionUser, RequestScope)"/>
    public InviteClientTransaction(SipRequest request, IClientTransactionUser user, RequestScope scope)
        : base(request, user, scope) => State = TransactionState.Calling;

    // Timer B runs in Calling only: a phone may ring for long.
    protected override void OnTimeout()
    {
        if (State == TransactionState.Calling) base.OnTimeout();
    }

    protected override void Receive(SipResponse response)
    {
        switch (State)
        {
            case TransactionState.Calling or TransactionState.Proceeding when response.IsProvisional:
                State = TransactionState.Proceeding;
                User.OnResponse(response);
                break;
            case TransactionState.Calling or TransactionState.Proceeding when response.IsSuccess:
                State = TransactionState.Accepted;
                StartTimer(Terminate);
                User.OnResponse(response);
                break;
            case TransactionState.Accepted when response.IsSuccess:
                User.OnResponse(response);
                break;
            case TransactionState.Calling or TransactionState.Proceeding:
                State = TransactionState.Completed;
                User.Send(Request.Derive(Method.Ack, response));
                Terminate();
                User.OnResponse(response);
                break;
        }
    }
}
