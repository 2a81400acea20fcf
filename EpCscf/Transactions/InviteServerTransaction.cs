using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Transactions;

/// <summary>RFC 3261 §17.2.1 with RFC 6026 §7.1: Proceeding, then Accepted after a 2xx, or Completed until the ACK comes.</summary>
internal sealed class InviteServerTransaction : ServerTransaction
{
    /// <inheritdoc cref="ServerTransaction(SipRequest, Func{SipResponse, bool}, TimeProvider, Lock)"/>
    public InviteServerTransaction(SipRequest request, Func<SipResponse, bool> send, TimeProvider time, Lock gate)
        : base(request, send, time, gate) => State = TransactionState.Proceeding;

    protected override void Receive(SipRequest request)
    {
        if (request.Method == Method.Ack)
        {
            // Timer I is 0. An ACK in Accepted is not ours: that of a 2xx has a transaction of its own.
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
                // Timer L, or H: an ACK that does not come is the end as well.
                StartTimer(Terminate);
                break;
        }
    }
}
