using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Transactions;

/// <summary>RFC 3261 §17.2.1 with RFC 6026 §7.1: Proceeding, then Accepted after a 2xx, or Completed until the ACK comes.</summary>
internal sealed class InviteServerTransaction : ServerTransaction
{
    /// <inheritdoc cref="ServerTransaction(SipRequest, Func{SipResponse, bool}, RequestScope)"/>
    public InviteServerTransaction(SipRequest request, Func<SipResponse, bool> send, RequestScope scope)
        : base(request, send, scope) => State = TransactionState.Proceeding;

    protected override void Receive(SipRequest request)
    {
        if (request.Method == Method.Ack)
        {
            // Timer I is 0. The ACK of a 2xx is not part of this transaction, so Accepted ignores it.
            if (State == TransactionState.Completed) Terminate();
        }
        else if (State is TransactionState.Proceeding or TransactionState.Completed)
        {
            SendAgain();
        }
    }

    protected override void Answer(SipResponse response)
    {
        switch (State)
        {
            case TransactionState.Proceeding when response.IsProvisional:
            case TransactionState.Accepted when response.IsSuccess:
                Send(response);
                break;
            case TransactionState.Proceeding:
                State = response.IsSuccess ? TransactionState.Accepted : TransactionState.Completed;
                Send(response);
                // Timer L, or timer H if no ACK comes.
                StartTimer(Terminate);
                break;
        }
    }
}
