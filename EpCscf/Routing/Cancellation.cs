using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Replicas;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Transactions;
using WebRtcIms.EpCscf.WebSockets;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>
/// CANCEL (RFC 3261 §9.2): has an answer of its own, whatever becomes of the INVITE. A page that connected again while it rang may have
/// come to another replica than its INVITE, and nothing in a CANCEL says to which it had been: all are asked.
/// </summary>
internal sealed class Cancellation(TransactionTable transactions, ProxiedRequests requests, IReplicas replicas, TimeProvider time)
{
    /// <summary>Others that do not have the INVITE either say nothing.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public void Take(ServerTransaction server, Flow flow)
    {
        var cancel = server.Request;
        if (transactions.FindCancelled(flow.Place, cancel) is { } invite)
        {
            server.Respond(cancel.Answer(200, "OK", SipRequest.NewTag()));
            requests.Find(invite)?.Cancel();
        }
        else if (flow.Registration is { } registration && replicas.SendToOthers(new(HandOverKind.Cancel, registration.Binding.Id, SipWriter.Write(cancel))))
        {
            _ = GiveUpLaterAsync(server);
        }
        else
        {
            server.Respond(NotFound(cancel));
        }
    }

    /// <summary>A CANCEL that came in at another replica.</summary>
    public void TakeFor(string replica, BindingId sender, SipRequest cancel)
    {
        if (transactions.FindCancelled(sender.ToString(), cancel) is not { } invite) return;
        _ = replicas.SendAsync(replica, new(HandOverKind.Cancelled, sender, SipWriter.Write(cancel)));
        requests.Find(invite)?.Cancel();
    }

    /// <summary>Another replica had the INVITE.</summary>
    public void Done(BindingId sender, SipRequest cancel) => transactions.Find(sender.ToString(), cancel)?.Respond(cancel.Answer(200, "OK", SipRequest.NewTag()));

    private async Task GiveUpLaterAsync(ServerTransaction server)
    {
        await Task.Delay(Patience, time);
        server.Respond(NotFound(server.Request));
    }

    private static SipResponse NotFound(SipRequest cancel) => cancel.Answer(481, "Call/Transaction Does Not Exist", SipRequest.NewTag());
}
