using System.Globalization;
using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Transactions;

/// <summary>
/// RFC 3261 §17.1.1 with RFC 6026 §7.2: Calling, Proceeding, then Accepted for every 2xx of the next 32 s, or over with the ACK
/// of another final answer.
/// </summary>
internal sealed class InviteClientTransaction : ClientTransaction
{
    /// <inheritdoc cref="ClientTransaction(SipRequest, IClientTransactionUser, TimeProvider, Lock)"/>
    public InviteClientTransaction(SipRequest request, IClientTransactionUser user, TimeProvider time, Lock gate)
        : base(request, user, time, gate) => State = TransactionState.Calling;

    public override void Start()
    {
        if (!User.Send(Request))
        {
            Terminate();
            User.OnUnreachable();
            return;
        }

        // Timer B runs in Calling only: a phone may ring for long.
        StartTimer(() =>
        {
            if (State != TransactionState.Calling) return;
            Terminate();
            User.OnTimeout();
        });
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
                User.Send(Ack(response));
                Terminate();
                User.OnResponse(response);
                break;
        }
    }

    /// <summary>The ACK of an answer that is no 2xx (§17.1.1.3): our Via alone, the To of the answer.</summary>
    private SipRequest Ack(SipResponse response)
    {
        var headers = new SipHeaders();
        headers.Add(HeaderName.Via, Request.Headers.Values(HeaderName.Via).First());
        headers.CopyFrom(Request.Headers, HeaderName.Route);
        headers.Add(HeaderName.MaxForwards, "70");
        headers.CopyFrom(Request.Headers, HeaderName.From);
        headers.CopyFrom(response.Headers, HeaderName.To);
        headers.CopyFrom(Request.Headers, HeaderName.CallId);
        headers.Add(HeaderName.CSeq, string.Create(CultureInfo.InvariantCulture, $"{Request.CSeq.Number} {Method.Ack}"));
        return new()
        {
            Method = Method.Ack,
            Uri = Request.Uri,
            Headers = headers,
            From = Request.From,
            To = response.To,
            CallId = Request.CallId,
            CSeq = Request.CSeq with { Method = Method.Ack },
        };
    }
}
