using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Transactions;

/// <summary>RFC 3261 §17.1.2: Trying, Proceeding; over with the final answer (timer K is 0) or after 32 s (timer F).</summary>
internal sealed class NonInviteClientTransaction : ClientTransaction
{
    /// <inheritdoc cref="ClientTransaction(SipRequest, IClientTransactionUser, TimeProvider, Lock)"/>
    public NonInviteClientTransaction(SipRequest request, IClientTransactionUser user, TimeProvider time, Lock gate)
        : base(request, user, time, gate) => State = TransactionState.Trying;

    public override void Start()
    {
        if (!User.Send(Request))
        {
            Terminate();
            User.OnUnreachable();
            return;
        }

        StartTimer(() =>
        {
            Terminate();
            User.OnTimeout();
        });
    }

    protected override void Receive(SipResponse response)
    {
        if (State is not (TransactionState.Trying or TransactionState.Proceeding)) return;
        State = response.IsProvisional ? TransactionState.Proceeding : TransactionState.Completed;
        if (State == TransactionState.Completed) Terminate();
        User.OnResponse(response);
    }
}
