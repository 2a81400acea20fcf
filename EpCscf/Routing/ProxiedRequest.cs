using System.Collections.Concurrent;
using WebRtcIms.EpCscf.Core;
using WebRtcIms.EpCscf.Identity;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Transactions;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>
/// A request on its way (the response context of RFC 3261 §16.7): rings everywhere at once, passes on what rings, the first 2xx
/// at once, and otherwise the best of the answers when all have come.
/// </summary>
/// <param name="server">The request's own transaction.</param>
/// <param name="sender">Where it came from.</param>
/// <param name="callee">Who answers; null in a dialogue, where both know each other.</param>
/// <param name="gate">Held during every event.</param>
internal sealed class ProxiedRequest(ServerTransaction server, BindingId sender, Subscriber? callee, Lock gate)
{
    private readonly List<Branch> _branches = [];

    /// <summary>Called once, when the final answer has been given and every branch has ended.</summary>
    public Action? Ended { get; set; }

    public ServerTransaction Server { get; } = server;

    /// <summary>Whether somebody took the call.</summary>
    public bool IsAnswered => Server.State == TransactionState.Accepted;

    public void Fork(IReadOnlyList<Branch> branches)
    {
        lock (gate)
        {
            _branches.AddRange(branches);
            foreach (var branch in branches) branch.Start();
        }
    }

    /// <summary>The caller has hung up before an answer: 487 comes when the branches have stopped.</summary>
    public void Cancel()
    {
        lock (gate)
        {
            foreach (var branch in _branches) branch.Cancel();
        }
    }

    /// <summary>A binding has gone for good: stops ringing for a caller who left, and waiting for a callee who did.</summary>
    public void PlaceLost(BindingId place)
    {
        lock (gate)
        {
            if (place == sender && !Server.IsAnswered) Cancel();
            foreach (var branch in _branches)
            {
                if (branch.Target == place && branch.Final is null) branch.OnUnreachable();
            }
        }
    }

    /// <summary>Whose going would matter: the caller, and those who have not answered.</summary>
    public IReadOnlyList<BindingId> Places()
    {
        lock (gate) return [sender, .. _branches.Where(branch => branch.Final is null).Select(branch => branch.Target)];
    }

    public void OnProvisional(Branch branch, SipResponse response)
    {
        if (response.StatusCode == 100 || Server.IsAnswered || branch.Final is not null) return;
        Forward(response);
    }

    public void OnFinal(Branch branch, SipResponse response)
    {
        if (response.IsSuccess)
        {
            Forward(response);
            CancelOthers(branch);
        }
        else if (response.StatusCode >= 600)
        {
            CancelOthers(branch);
        }

        if (_branches.Exists(other => other.Final is null)) return;
        if (!Server.IsAnswered) Forward(Best() is var best && best.StatusCode == 503 ? Server.Request.Answer(500, "Server Internal Error", SipRequest.NewTag()) : best);
        Ended?.Invoke();
    }

    private void CancelOthers(Branch branch)
    {
        foreach (var other in _branches)
        {
            if (other != branch) other.Cancel();
        }
    }

    /// <summary>§16.7 step 6: a 6xx when there is one, else the lowest class, and in 4xx what the caller can do something about.</summary>
    private SipResponse Best()
    {
        var finals = _branches.Select(branch => branch.Final!);
        return finals.MinBy(final => final.StatusCode switch
        {
            >= 600 => 0,
            401 or 407 or 415 or 420 or 484 => 4_000,
            // "Not here" and "no answer" say less than "busy" or "no".
            408 or 480 or 481 or 487 => 4_900,
            // §16.7 step 6: a 503 would speak of this server, so the caller gets 500 when there is nothing else.
            503 => 5_999,
            var code => (code / 100 * 1000) + (code % 100),
        })!;
    }

    private void Forward(SipResponse response)
    {
        IdentityPolicy.Strip(response.Headers);
        if (callee is not null && response.StatusCode > 100) IdentityPolicy.Assert(response.Headers, callee, callee.Impus[0]);
        Server.Respond(response);
    }
}

/// <summary>All requests on their way.</summary>
internal sealed class ProxiedRequests
{
    private readonly ConcurrentDictionary<ServerTransaction, ProxiedRequest> _requests = new();

    public int Count => _requests.Count;

    public void Add(ProxiedRequest request)
    {
        _requests[request.Server] = request;
        request.Ended = () => _requests.TryRemove(request.Server, out _);
    }

    public ProxiedRequest? Find(ServerTransaction server) => _requests.GetValueOrDefault(server);

    public IReadOnlySet<BindingId> Places() => _requests.Values.SelectMany(request => request.Places()).ToHashSet();

    public void PlaceLost(BindingId place)
    {
        foreach (var request in _requests.Values) request.PlaceLost(place);
    }
}
