using System.Globalization;
using System.Text;
using WebRtcIms.EpCscf.Authorization;
using WebRtcIms.EpCscf.Core;
using WebRtcIms.EpCscf.Replicas;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.WebSockets;
using WebRtcIms.Contracts.RegistrationTokens;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>
/// REGISTER (RFC 3261 §10.3) with outbound flows (RFC 5626 §6) and Bearer tokens (RFC 8898): who holds a good token for an
/// identity gets a binding to the connection that the request came over, for no longer than the token.
/// </summary>
internal sealed partial class Registrar(
    IBindingStore store, BindingNames names, CoreModel core, TokenAuthorization authorization, Flows flows, ProxiedRequests requests, IReplicas replicas,
    EpCscfSettings settings, TimeProvider time, ILogger<Registrar> logger)
{
    /// <summary>So long a binding stays after its connection was lost: a page needs that to come back.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    /// <summary>So long a connection stays after its registration has expired: a call must be possible to end when it could not be renewed; not for ever.</summary>
    public static readonly TimeSpan ConnectionOutlives = TimeSpan.FromHours(1);

    private const int MinExpires = 60;
    private const int MaxExpires = 3600;
    private const int DefaultExpires = 600;
    private const int MaxBindings = 10;
    private const int MaxContactLength = 512;

    private static readonly string[] Extensions = ["path", "outbound"];

    /// <summary>The final answer to a REGISTER.</summary>
    public async Task<SipResponse> RegisterAsync(Flow flow, SipRequest request)
    {
        if (request.SipUri?.Host != settings.HomeDomain) return Refuse(request, 404, "Not Found: this is the registrar of another domain");
        if (request.Unsupported(HeaderName.Require, Extensions) is { } unsupported) return unsupported;
        if (await authorization.CheckAsync(request) is not { } token) return authorization.Challenge(request);

        var identity = request.To.Uri?.AddressOfRecord ?? "";
        var impus = token.Impus.Select(impu => SipUri.Parse(impu)?.AddressOfRecord).OfType<string>().ToList();
        if (!impus.Contains(identity) || request.From.Uri?.AddressOfRecord != identity)
            return Refuse(request, 403, "Forbidden: the token is not for this identity");
        var decision = core.Register(token, identity, out var subscriber);
        if (decision != CoreDecision.Allowed)
        {
            LogRefused(decision);
            return Refuse(request, 403, $"Forbidden: {Sentence(decision)}");
        }
        if (flow.Registration is { } present && present.Subscriber != subscriber)
            return Refuse(request, 403, "Forbidden: this connection is registered for another identity");

        List<string> registered = [.. impus.Where(impu => subscriber!.Impus.Contains(impu))];
        return await UpdateAsync(flow, request, token, subscriber!, registered);
    }

    /// <summary>The connection of a registration has ended: the binding goes, too, unless it comes back in time.</summary>
    public void FlowLost(FlowRegistration registration) => _ = ForgetLaterAsync(registration.Binding);

    /// <summary>Ends what a session at the WWSF has registered, and refuses its tokens from now on.</summary>
    public async Task EndSessionAsync(string sessionId)
    {
        await store.RevokeAsync(sessionId);
        foreach (var binding in await store.FindSessionAsync(sessionId))
        {
            await store.RemoveAsync(binding);
            flows.Find(binding.Id)?.Close(CloseCode.SignedOut, "signed out");
            requests.PlaceLost(binding.Id);
            replicas.SendToOthers(new(HandOverKind.SignedOut, binding.Id));
        }
    }

    private async Task<SipResponse> UpdateAsync(Flow flow, SipRequest request, RegistrationToken token, Subscriber subscriber, List<string> impus)
    {
        var contacts = request.Headers.Values(HeaderName.Contact).ToList();
        var current = await store.FindAsync(names.Subscriber(subscriber.Impi));
        if (contacts is []) return await AcceptAsync(request, subscriber, impus, isOutbound: false);
        if (contacts is ["*"])
        {
            if (request.Headers.First(HeaderName.Expires) != "0") return Refuse(request, 400, "Bad Request: Contact * needs Expires: 0");
            foreach (var binding in current) await RemoveAsync(binding);
            return await AcceptAsync(request, subscriber, impus, isOutbound: false);
        }

        if (contacts is not [var only] || NameAddress.Parse(only) is not { Uri: not null } contact || contact.UriText.Length > MaxContactLength)
            return Refuse(request, 400, "Bad Request: send one Contact with a SIP URI");
        // RFC 5626 §6: a reg-id without an instance means nothing.
        var instance = contact.Parameters["+sip.instance"];
        var regId = instance is null ? null : contact.Parameters["reg-id"];
        if (instance?.Length > MaxContactLength || regId?.Length > 10) return Refuse(request, 400, "Bad Request: +sip.instance or reg-id is too long");

        var id = names.Binding(subscriber.Impi, contact.UriText, instance, regId);
        var known = current.FirstOrDefault(binding => binding.Id == id);
        if (known is not null && known.CallId == request.CallId && request.CSeq.Number <= known.CSeq)
            return Refuse(request, 500, "Server Internal Error: CSeq is not higher than before");
        if (Expires(request, contact) is not { } seconds) return Refuse(request, 400, "Bad Request: expires must be a number of seconds");
        if (seconds == 0)
        {
            if (known is not null) await RemoveAsync(known);
            return await AcceptAsync(request, subscriber, impus, isOutbound: false);
        }

        if (seconds < MinExpires) return Refuse(request, 423, "Interval Too Brief", (HeaderName.MinExpires, MinExpires.ToString(CultureInfo.InvariantCulture)));
        if (known is null && current.Count >= MaxBindings) return Refuse(request, 503, "Service Unavailable: too many registrations", (HeaderName.RetryAfter, "10"));

        var now = time.GetUtcNow();
        var tokenEnd = DateTimeOffset.FromUnixTimeSeconds(token.ExpiresAt);
        var end = now.AddSeconds(Math.Min(seconds, MaxExpires));
        var updated = new Binding(
            id, contact.UriText, instance, regId, request.CallId, request.CSeq.Number, end < tokenEnd ? end : tokenEnd, flow.Id, replicas.Self, token.SessionId);
        await store.SaveAsync(updated);
        flows.Bind(flow, new(updated, subscriber, impus));
        if (known is not null && known.Replica != replicas.Self) await replicas.SendAsync(known.Replica, new(HandOverKind.Replaced, id, Encoding.ASCII.GetBytes(known.FlowId)));
        return await AcceptAsync(request, subscriber, impus, isOutbound: regId is not null && request.Headers.HasToken(HeaderName.Supported, "outbound"));
    }

    private async Task RemoveAsync(Binding binding)
    {
        await store.RemoveAsync(binding);
        if (flows.Find(binding.Id) is { } flow) flows.Unbind(flow);
        else if (binding.Replica != replicas.Self) await replicas.SendAsync(binding.Replica, new(HandOverKind.Removed, binding.Id));
    }

    private async Task<SipResponse> AcceptAsync(SipRequest request, Subscriber subscriber, List<string> impus, bool isOutbound)
    {
        var response = request.Answer(200, "OK", SipRequest.NewTag());
        var now = time.GetUtcNow();
        foreach (var binding in await store.FindAsync(names.Subscriber(subscriber.Impi))) response.Headers.Add(HeaderName.Contact, Describe(binding, now));
        response.Headers.Add(HeaderName.PAssociatedUri, string.Join(", ", impus.Select(impu => NameOf(subscriber, impu))));
        response.Headers.Add(HeaderName.ServiceRoute, $"<sip:{RouteTokens.Originating}@{settings.Host};transport=ws;lr>");
        response.Headers.Add(HeaderName.Supported, "path, outbound");
        // RFC 5626 §6: only when the client spoke of a flow; a client that did not would not understand it.
        if (isOutbound) response.Headers.Add(HeaderName.Require, "outbound");
        return response;
    }

    private async Task ForgetLaterAsync(Binding binding)
    {
        try
        {
            await Task.Delay(Grace, time);
            if (flows.Find(binding.Id) is not null) return;
            if (!await store.RemoveAsync(binding)) return;
            requests.PlaceLost(binding.Id);
            replicas.SendToOthers(new(HandOverKind.Lost, binding.Id));
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            LogFailure(error);
        }
    }

    private static string Describe(Binding binding, DateTimeOffset now)
    {
        var seconds = Math.Max(1, (int)(binding.ExpiresAt - now).TotalSeconds);
        var place = (binding.Instance is null ? "" : $";+sip.instance={HeaderText.Quote(binding.Instance)}") + (binding.RegId is null ? "" : $";reg-id={binding.RegId}");
        return string.Create(CultureInfo.InvariantCulture, $"<{binding.Contact}>{place};expires={seconds}");
    }

    private static string NameOf(Subscriber subscriber, string impu) =>
        subscriber.DisplayName.Length == 0 ? $"<{impu}>" : $"{HeaderText.Quote(subscriber.DisplayName)} <{impu}>";

    private static int? Expires(SipRequest request, NameAddress contact)
    {
        if ((contact.Parameters["expires"] ?? request.Headers.First(HeaderName.Expires)) is not { } text) return DefaultExpires;
        return uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? (int)Math.Min(seconds, MaxExpires) : null;
    }

    private static SipResponse Refuse(SipRequest request, int statusCode, string reason, params ReadOnlySpan<(string Name, string Value)> fields)
    {
        var response = request.Answer(statusCode, reason, SipRequest.NewTag());
        foreach (var (name, value) in fields) response.Headers.Add(name, value);
        return response;
    }

    private static string Sentence(CoreDecision decision) => decision switch
    {
        CoreDecision.UnknownSubscription => "there is no such subscription",
        CoreDecision.IdentityNotOfSubscription => "the identity belongs to another subscription",
        CoreDecision.WafNotAllowed => "this WAF may not vouch for the subscription",
        _ => "this WWSF may not vouch for the subscription",
    };

    [LoggerMessage(1, LogLevel.Warning, "The core refused a registration: {Decision}")]
    private partial void LogRefused(CoreDecision decision);

    [LoggerMessage(2, LogLevel.Error, "A lost connection's binding could not be removed; it expires by itself")]
    private partial void LogFailure(Exception error);
}
