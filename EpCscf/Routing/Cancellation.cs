using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Transactions;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>
/// CANCEL (RFC 3261 §9.2). It has a response of its own, independent of the INVITE. A page that reconnects while it rings may come to
/// another replica than its INVITE, and a CANCEL does not name the former one. So this replica asks all others.
/// </summary>
internal sealed class Cancellation(TransactionTable transactions, ProxiedRequests requests, HandOvers handOvers, TimeProvider time)
{
    /// <summary>Replicas without the INVITE do not answer.</summary>
    public static readonly TimeSpan ReplicaTimeout = TimeSpan.FromSeconds(2);

    public void Handle(ServerTransaction server, Flow flow)
    {
        var cancel = server.Request;
        if (transactions.FindCancelled(flow.RemoteId, cancel) is { } invite)
        {
            server.Respond(cancel.Answer(200, "OK", SipRequest.NewTag()));
            requests.Find(invite)?.Cancel();
        }
        else if (flow.Registration is { } registration
            && handOvers.SendToOthers(new(HandOverKind.Cancel, registration.Binding.Id, SipWriter.Write(cancel))))
        {
            _ = GiveUpLaterAsync(server);
        }
        else
        {
            server.Respond(NotFound(cancel));
        }
    }

    /// <summary>Handles a CANCEL that another replica received.</summary>
    public void HandleFor(string replica, BindingId sender, SipRequest cancel)
    {
        if (transactions.FindCancelled(sender.ToString(), cancel) is not { } invite) return;
        _ = handOvers.SendAsync(replica, new(HandOverKind.Cancelled, sender, SipWriter.Write(cancel)));
        requests.Find(invite)?.Cancel();
    }

    /// <summary>Confirms a CANCEL whose INVITE is at another replica.</summary>
    public void Confirm(BindingId sender, SipRequest cancel) =>
        transactions.Find(sender.ToString(), cancel)?.Respond(cancel.Answer(200, "OK", SipRequest.NewTag()));

    private async Task GiveUpLaterAsync(ServerTransaction server)
    {
        await Task.Delay(ReplicaTimeout, time);
        server.Respond(NotFound(server.Request));
    }

    private static SipResponse NotFound(SipRequest cancel) => cancel.Answer(481, "Call/Transaction Does Not Exist", SipRequest.NewTag());
}
