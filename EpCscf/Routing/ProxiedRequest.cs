using WebRtcIms.EpCscf.Core;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Transactions;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>
/// A request that is being forwarded (the response context of RFC 3261 §16.7). It forks to all bindings at once. It forwards provisional
/// responses and every 2xx at once, and otherwise the best final response when all branches have one.
/// </summary>
/// <param name="server">The request's own transaction.</param>
/// <param name="sender">The binding that it came from.</param>
/// <param name="callee">The subscriber that answers; null within a dialog.</param>
internal sealed class ProxiedRequest(ServerTransaction server, BindingId sender, Subscriber? callee)
{
    private readonly List<Branch> _branches = [];

    /// <summary>Called once, when the final response has been sent and every branch has ended.</summary>
    public Action? Ended { get; set; }

    public ServerTransaction Server { get; } = server;

    /// <summary>Whether the call was answered.</summary>
    public bool IsAnswered => Server.State == TransactionState.Accepted;

    public void Fork(IReadOnlyList<Branch> branches)
    {
        lock (Server.Scope.Gate)
        {
            _branches.AddRange(branches);
            foreach (var branch in branches) branch.Start();
        }
    }

    /// <summary>The caller has hung up before an answer. The 487 follows when all branches have ended.</summary>
    public void Cancel()
    {
        lock (Server.Scope.Gate)
        {
            foreach (var branch in _branches) branch.Cancel();
        }
    }

    /// <summary>A binding has gone for good. Stops ringing for a caller that has left, and waiting for a callee that has.</summary>
    public void OnBindingLost(BindingId binding)
    {
        lock (Server.Scope.Gate)
        {
            if (binding == sender && !Server.IsAnswered) Cancel();
            foreach (var branch in _branches)
            {
                if (branch.Target == binding && branch.Final is null) branch.OnUnreachable();
            }
        }
    }

    /// <summary>A binding has another connection.</summary>
    public void OnReconnected(BindingId binding)
    {
        lock (Server.Scope.Gate)
        {
            foreach (var branch in _branches)
            {
                if (branch.Target == binding) branch.OnReconnected();
            }
        }
    }

    /// <summary>Bindings whose loss affects this request: the caller, and the callees without a final response.</summary>
    public IReadOnlyList<BindingId> PendingBindings()
    {
        lock (Server.Scope.Gate) return [sender, .. _branches.Where(branch => branch.Final is null).Select(branch => branch.Target)];
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
        if (!Server.IsAnswered) Forward(Best());
        Ended?.Invoke();
    }

    private void CancelOthers(Branch branch)
    {
        foreach (var other in _branches)
        {
            if (other != branch) other.Cancel();
        }
    }

    /// <summary>
    /// §16.7 step 6: a 6xx if there is one, otherwise the lowest class. In 4xx, one that the caller can act on comes first.
    /// </summary>
    private SipResponse Best()
    {
        var best = _branches.Select(branch => branch.Final!).MinBy(final => final.StatusCode switch
        {
            >= 600 => 0,
            401 or 407 or 415 or 420 or 484 => 4_000,
            // "No answer" says less than "busy" or "no". "Not here" says least: it may be a page that was closed a moment ago.
            408 or 481 or 487 => 4_900,
            480 => 4_950,
            503 => 5_999,
            var code => (code / 100 * 1000) + (code % 100),
        })!;
        // A 503 would mean that this server is overloaded.
        return best.StatusCode == 503 ? Server.Request.Answer(500, "Server Internal Error", SipRequest.NewTag()) : best;
    }

    private void Forward(SipResponse response)
    {
        StrippedHeaders.RemoveFrom(response.Headers);
        RestoreFields(response);
        if (callee is not null && response.StatusCode > 100) IdentityPolicy.Assert(response.Headers, callee, callee.Impus[0]);
        Server.Respond(response);
    }

    // A responder repeats these fields, and adds a tag to To (RFC 3261 §8.2.6.2). It must not name another user, and the caller needs
    // them as they were.
    private void RestoreFields(SipResponse response)
    {
        var request = Server.Request;
        foreach (var name in (string[])[HeaderName.Via, HeaderName.CallId, HeaderName.CSeq])
            response.Headers.Set(name, request.Headers.Lines(name));
        var to = request.Headers.First(HeaderName.To)!;
        response.Headers.Set(HeaderName.From, request.Headers.First(HeaderName.From)!);
        response.Headers.Set(HeaderName.To, request.To.Tag is null && response.To.Tag is { } tag ? $"{to};tag={tag}" : to);
    }
}

/// <summary>All requests that are being forwarded.</summary>
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

    public IReadOnlySet<BindingId> PendingBindings() => _requests.Values.SelectMany(request => request.PendingBindings()).ToHashSet();

    public void OnBindingLost(BindingId binding)
    {
        foreach (var request in _requests.Values) request.OnBindingLost(binding);
    }

    public void OnReconnected(BindingId binding)
    {
        foreach (var request in _requests.Values) request.OnReconnected(binding);
    }
}
