using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Transactions;

/// <summary>RFC 3261 §17.2.2: Trying, Proceeding, Completed; over with the final answer, since timer J is 0.</summary>
internal sealed class NonInviteServerTransaction : ServerTransaction
{
    /// <inheritdoc cref="ServerTransaction(SipRequest, Func{SipResponse, bool}, TimeProvider, Lock)"/>
    public NonInviteServerTransaction(SipRequest request, Func<SipResponse, bool> send, TimeProvider time, Lock gate)
        : base(request, send, time, gate) => State = TransactionState.Trying;

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
