using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Core;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Telemetry;
using WebRtcIms.EpCscf.Transactions;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>
/// The proxy (RFC 3261 §16). It decides where a request of a registered WIC goes, and makes the copies that go there. Its own responses are
/// values. It does not forward a request that the client may not send.
/// </summary>
internal sealed class Proxy(
    IBindingStore store, BindingNames names, CoreModel core, TokenAuthorization authorization, RouteTokens routes, ProxiedRequests requests,
    Delivery delivery, Replicas replicas, BranchServices services, EpCscfSettings settings, TimeProvider time,
    EpCscfTelemetry telemetry)
{
    private readonly ConcurrentDictionary<string, TokenBucket> _calls = new();
    private readonly ConcurrentDictionary<string, TokenBucket> _dialogRequests = new();

    /// <summary>Forwards a request, or responds to it.</summary>
    public async Task RouteAsync(Flow flow, ServerTransaction server)
    {
        var request = server.Request;
        if (Refuse(request) is { } refusal)
        {
            server.Respond(refusal);
            return;
        }

        var (response, forwarding) = request.IsInDialog ? await RouteInDialogAsync(flow, request) : await RouteInitialAsync(flow, request);
        if (forwarding is null)
        {
            server.Respond(response!);
            return;
        }

        var proxied = new ProxiedRequest(server, forwarding.Sender, forwarding.Callee);
        requests.Add(proxied);
        proxied.Fork([.. forwarding.Requests.Select(copy => new Branch(
            copy, proxied, services, server.Scope.With(EpCscfTelemetry.StartClient(copy.Request, server.Scope.Span))))]);
    }

    /// <summary>The ACK of a 2xx, which has no transaction (§16.6, last paragraph of step 10).</summary>
    public async Task RouteAckAsync(Flow flow, SipRequest ack)
    {
        if (ack.MaxForwards == 0 || (await RouteInDialogAsync(flow, ack)).Forwarding is not { Requests: [var copy] }) return;
        delivery.Send(copy.Target, copy.Replica, SipWriter.Write(copy.Request));
    }

    public static string? ReplicaOf(string? branch) =>
        branch?.Length > Via.MagicCookie.Length + 16 ? branch.Substring(Via.MagicCookie.Length, 16) : null;

    /// <summary>The checks of §16.3, which do not depend on the sender.</summary>
    private SipResponse? Refuse(SipRequest request)
    {
        if (TargetOf(request) is null) return request.Answer(416, "Unsupported URI Scheme", SipRequest.NewTag());
        if (request.MaxForwards == 0) return request.Answer(483, "Too Many Hops", SipRequest.NewTag());
        if (HasLooped(request)) return request.Answer(482, "Loop Detected", SipRequest.NewTag());
        return request.Unsupported(HeaderName.ProxyRequire, []);
    }

    private async Task<(SipResponse? Response, Forwarding? Forwarding)> RouteInDialogAsync(Flow flow, SipRequest request)
    {
        SipResponse Refused(int statusCode, string reason) => request.Answer(statusCode, reason, SipRequest.NewTag());

        if (flow.Registration is not { } registration) return (Refused(403, "Forbidden: not registered"), null);
        // A call whose token could not be renewed can still be ended.
        if (!flow.IsRegistered && request.Method is not (Method.Bye or Method.Ack))
            return (Refused(403, "Forbidden: the registration has expired"), null);
        if (Routes(flow, request).FirstOrDefault()?.Uri is not { } uri || routes.Find(uri, registration.Binding.Id, request) is not { } sender)
            return (Refused(481, "Call/Transaction Does Not Exist"), null);
        if (!IdentityPolicy.MayUse(request, registration.Impus, sender))
            return (Refused(403, "Forbidden: From is not your identity"), null);
        // A BYE ends its dialogue, so it is not counted.
        if (!Bucket(_dialogRequests, registration, settings.Limits.DialogRequestsPerMinute).TryAcquire() && request.Method != Method.Bye)
            return (Busy(request, "too many requests in calls"), null);

        var copy = Copy(flow, request, request.Uri);
        if (copy.Headers.Has(HeaderName.Route)) return (Refused(403, "Forbidden: no route beyond this server"), null);
        IdentityPolicy.AssertInDialog(copy.Headers, request, registration.Impus, sender);
        return (null, new(registration.Binding.Id, null, [new(copy, sender.Peer, await delivery.LocateAsync(sender.Peer), sender.Dialog)]));
    }

    private async Task<(SipResponse? Response, Forwarding? Forwarding)> RouteInitialAsync(Flow flow, SipRequest request)
    {
        SipResponse Refused(int statusCode, string reason) => request.Answer(statusCode, reason, SipRequest.NewTag());

        if (!flow.IsRegistered) return (Refused(403, "Forbidden: not registered"), null);
        if (BearerCredentials.Find(request.Headers) is not null && await authorization.CheckAsync(request) is null)
            return (authorization.Challenge(request), null);
        var registration = flow.Registration!;
        if (IdentityPolicy.Originating(request, registration.Impus) is not { } identity)
            return (Refused(403, "Forbidden: From is not your identity"), null);
        if (!Bucket(_calls, registration, settings.Limits.CallsPerMinute).TryAcquire()) return (Busy(request, "too many calls"), null);

        var target = TargetOf(request)!;
        if (target.Host != settings.HomeDomain || core.FindByImpu(target.AddressOfRecord) is not { } callee)
            return (Refused(404, "Not Found"), null);
        var bindings = await store.FindAsync(names.Subscriber(callee.Impi));
        var sender = registration.Binding.Id;
        List<ForwardedRequest> copies = [];
        foreach (var binding in bindings.Where(binding => binding.Id != sender))
        {
            var copy = Copy(flow, request, binding.Contact);
            if (copy.Headers.Has(HeaderName.Route)) return (Refused(403, "Forbidden: no route beyond this server"), null);
            var dialog = Dialog.CanBegin(request.Method) ? Dialog.Begin(sender, binding.Id) : null;
            if (dialog is not null) copy.Headers.Add(HeaderName.RecordRoute, routes.ForCallee(dialog, request));
            IdentityPolicy.Assert(copy.Headers, registration.Subscriber, identity);
            telemetry.ShareTrace(binding.SessionId);
            copies.Add(new(copy, binding.Id, binding.Replica == replicas.Self ? null : binding.Replica, dialog));
        }

        return copies.Count == 0 ? (Refused(480, "Temporarily Unavailable"), null) : (null, new(sender, callee, copies));
    }

    /// <summary>
    /// The routes without those that only name this proxy (§16.4): one that the client has by its configuration, or outside of a dialogue
    /// the Service-Route.
    /// </summary>
    private IEnumerable<NameAddress> Routes(Flow flow, SipRequest request) =>
        request.Headers.Values(HeaderName.Route).Select(route => NameAddress.Parse(route)!)
            .SkipWhile(route => route.Uri is { } uri && IsOwn(uri.Host, flow)
                && (uri.User.Length == 0 || (uri.User == Registrar.OriginatingUser && !request.IsInDialog)));

    private bool IsOwn(string host, Flow flow) => host == settings.Host || host == settings.HomeDomain || flow.ServerNames.Contains(host);

    /// <summary>The copy to forward (§16.6): our Via on top, one hop less, and without our own routes.</summary>
    private SipRequest Copy(Flow flow, SipRequest request, string uri)
    {
        var copy = request.Copy(uri);
        // In a dialogue, the first of the others has the token.
        copy.Headers.Set(HeaderName.Route, Routes(flow, request).Skip(request.IsInDialog ? 1 : 0).Select(route => route.ToString()));
        StrippedHeaders.RemoveFrom(copy.Headers);
        // There is no proxy between a page and this server.
        copy.Headers.Remove(HeaderName.RecordRoute);
        copy.Headers.Set(HeaderName.MaxForwards, (request.MaxForwards - 1).ToString(CultureInfo.InvariantCulture));
        // The branch names this replica, because another one may receive the response.
        var branch = $"{Via.MagicCookie}{replicas.Self}{RandomNumberGenerator.GetHexString(24, true)}.{LoopMark(request)}";
        copy.Headers.Push(HeaderName.Via, $"SIP/2.0/WSS {settings.Host};branch={branch}");
        return copy;
    }

    // A telephone number is a user of this domain (§19.1.6).
    private SipUri? TargetOf(SipRequest request) =>
        request.SipUri ?? (request.IsInDialog ? null : TelUri.ToSipUri(request.Uri, settings.HomeDomain));

    private bool HasLooped(SipRequest request)
    {
        var mark = "." + LoopMark(request);
        return request.Headers.Values(HeaderName.Via).Select(Via.Parse)
            .Any(via => via!.SentBy == settings.Host && via.Branch?.EndsWith(mark, StringComparison.Ordinal) == true);
    }

    /// <summary>§16.6 step 8: a request that came back unchanged has the same mark, and a retargeted one (a spiral) has another.</summary>
    private static string LoopMark(SipRequest request)
    {
        var text = string.Join(
            '\n', request.Uri, request.From.Tag, request.To.Tag, request.CallId, request.CSeq.Number,
            string.Join(',', request.Headers.Values(HeaderName.Route)));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 8));
    }

    private static SipResponse Busy(SipRequest request, string why)
    {
        var busy = request.Answer(503, $"Service Unavailable: {why}", SipRequest.NewTag());
        busy.Headers.Add(HeaderName.RetryAfter, "5");
        return busy;
    }

    private TokenBucket Bucket(ConcurrentDictionary<string, TokenBucket> buckets, FlowRegistration registration, int perMinute) =>
        buckets.GetOrAdd(registration.Binding.Id.Subscriber, _ => new TokenBucket(perMinute, perMinute / 60.0, time));

    private sealed record Forwarding(BindingId Sender, Subscriber? Callee, IReadOnlyList<ForwardedRequest> Requests);
}
