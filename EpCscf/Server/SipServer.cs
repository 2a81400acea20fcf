using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Presence;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Telemetry;
using WebRtcIms.EpCscf.Transactions;

namespace WebRtcIms.EpCscf.Server;

/// <summary>Passes each message of a connection to its transaction, the registrar or the proxy.</summary>
internal sealed class SipServer(
    Registrar registrar, Proxy proxy, Cancellation cancellation, ProxiedRequests requests, TransactionTable transactions, Flows flows,
    Delivery delivery, Replicas replicas, HandOvers handOvers, EpCscfSettings settings, TimeProvider time, EpCscfTelemetry telemetry,
    RegistrationTokenValidator tokens, CallLog log, OnlineSubscriptions online)
{
    private const string OwnMethods = "REGISTER, OPTIONS, SUBSCRIBE";
    private const string RetryAfterSeconds = "5";
    private const int NotRegisteredStatus = 403;

    public async Task HandleAsync(Flow flow, ReadOnlyMemory<byte> octets)
    {
        var isWithinRate = flow.TryCountMessage();
        var parsed = SipParser.Parse(octets.Span);
        switch (parsed.Message)
        {
            case null:
                telemetry.Dropped("malformed");
                if (parsed.Answer is { } answer) flow.Send(answer);
                break;
            case SipResponse response:
                if (response.Problem is not null) telemetry.Dropped("malformed");
                Handle(flow, response, octets);
                break;
            case SipRequest request when isWithinRate:
                await HandleAsync(flow, request);
                break;
            case SipRequest { Method: not Method.Ack } request:
                telemetry.Dropped("rate");
                flow.Send(Overload(request, "too many messages"));
                break;
        }
    }

    private async Task HandleAsync(Flow flow, SipRequest request)
    {
        if (transactions.Find(flow.RemoteId, request) is { } known)
        {
            known.Handle(request);
            return;
        }

        if (request.Method == Method.Ack)
        {
            await proxy.RouteAckAsync(flow, request);
            return;
        }

        // §8.2.7: without a transaction, which would wait for an ACK that a stranger need not send.
        if (request.Method == Method.Invite && flow.Registration is null)
        {
            telemetry.Answered(request.Method, NotRegisteredStatus);
            flow.Send(request.Answer(NotRegisteredStatus, "Forbidden: not registered", SipRequest.NewTag()));
            return;
        }

        if (IsOverloaded(flow, request))
        {
            telemetry.Dropped("overload");
            flow.Send(Overload(request, "overload"));
            return;
        }

        var server = Begin(flow, request);
        try
        {
            await RespondAsync(flow, server);
        }
        catch
        {
            // The client must not wait for a response that never comes. A final response that was sent already stays.
            server.Respond(Later(request, 500, "Server Internal Error"));
            requests.Find(server)?.Cancel();
            throw;
        }
    }

    /// <summary>
    /// Whether there are too many transactions, of the subscriber or of all. One subscriber cannot use up those of the others. Requests of
    /// an established call and CANCEL are refused last, because they end calls.
    /// </summary>
    private bool IsOverloaded(Flow flow, SipRequest request)
    {
        var factor = request.IsInDialog || request.Method == Method.Cancel ? 2 : 1;
        return transactions.Count >= factor * settings.Limits.Transactions
            || (flow.Registration is { } registration
                && transactions.CountOf(registration.Binding.Id.Subscriber) >= factor * settings.Limits.TransactionsPerSubscriber);
    }

    private async Task RespondAsync(Flow flow, ServerTransaction server)
    {
        // Only for this call: an async method does not change the caller's current activity.
        Activity.Current = server.Scope.Span;
        var request = server.Request;
        if (request.Method == Method.Register)
        {
            var isRefused = false;
            FlowRegistration? bound = null;
            var (response, replaced) = await registrar.RegisterAsync(
                flow.Id, flow.Registration, request, registration => !(isRefused = !flows.Bind(flow, bound = registration)),
                server.Respond);
            // A refusal has not been sent yet. A second response has no effect.
            server.Respond(response);
            if (replaced is not null) await registrar.OnReplacedAsync(replaced);
            if (isRefused) flow.Close(CloseCode.TooMuch, "too many connections");
            else if (bound is { Subscriber.Leased: not null }) await registrar.EndFormerGuestsAsync(bound, flows.Registrations);
        }
        else if (request.Method == Method.Cancel)
        {
            cancellation.Handle(server, flow);
        }
        else if (IsForDomain(request) && request.Method == Method.Subscribe)
        {
            // RFC 6665 §4.2.1.1: the first NOTIFY follows the response.
            var (response, subscription) = online.Handle(flow, request);
            server.Respond(response);
            if (subscription is not null) await online.NotifyAsync(subscription);
        }
        else if (RespondAsDomain(request) is { } own)
        {
            server.Respond(own);
        }
        else
        {
            // §17.2.1: at once, because the time until the callee answers is not known.
            if (request.Method == Method.Invite) server.Respond(request.Answer(100, "Trying"));
            await proxy.RouteAsync(flow, server);
        }
    }

    private void Handle(Flow flow, SipResponse response, ReadOnlyMemory<byte> octets)
    {
        // Our Via must be on top, and the sender must be the target of the request.
        var via = response.TopVia;
        if (via.SentBy != settings.Host) telemetry.Dropped("stray_response");
        else if (transactions.Find(flow.RemoteId, response) is { } client) client.Handle(response);
        else if (flow.Registration is { } registration && Proxy.ReplicaOf(via.Branch) is { } owner && owner != replicas.Self)
            _ = HandOverAsync(owner, new(HandOverKind.Response, registration.Binding.Id, octets.ToArray()));
        else telemetry.Dropped("stray_response");
    }

    private async Task HandOverAsync(string replica, HandOver response)
    {
        if (!await handOvers.SendAsync(replica, response)) telemetry.Dropped("stray_response");
    }

    private ServerTransaction Begin(Flow flow, SipRequest request)
    {
        var session = SessionOf(flow, request);
        // Each page renews its subscription all day. A trace of it tells nothing.
        var isTraced = request.Method != Method.Subscribe || !IsForDomain(request);
        var scope = new RequestScope(time, isTraced ? telemetry.StartServer(request, session) : null);
        var binding = flow.Registration?.Binding.Id;
        var subscriber = binding?.Subscriber;
        var began = time.GetTimestamp();
        var isSetUp = request.Method != Method.Invite || request.IsInDialog;
        bool Send(SipResponse response)
        {
            if (!isSetUp && response.StatusCode > 100)
            {
                isSetUp = true;
                telemetry.CallSetUp(response.StatusCode, time.GetElapsedTime(began), scope.Span);
            }
            if (!response.IsProvisional)
            {
                var took = time.GetElapsedTime(began);
                // The span ends with the response, and cannot be the current one later.
                EpCscfTelemetry.Within(scope.Span, () => log.Answered(session, request, response, took));
                telemetry.Answered(request.Method, response.StatusCode, took, scope.Span);
            }

            return Deliver(response);
        }

        // A page that has reconnected gets its response over the new connection.
        bool Deliver(SipResponse response)
        {
            var octets = SipWriter.Write(response);
            if (binding is not { } id) return flow.Send(octets);
            if (flows.Find(id) is null && flow.Send(octets)) return true;
            delivery.Send(id, replica: null, octets);
            return true;
        }

        ServerTransaction server = request.Method == Method.Invite
            ? new InviteServerTransaction(request, Send, scope)
            : new NonInviteServerTransaction(request, Send, scope);
        transactions.Add(flow.RemoteId, subscriber, server);
        return server;
    }

    // The first REGISTER of a connection comes before its registration.
    private string? SessionOf(Flow flow, SipRequest request)
    {
        if (flow.Registration is { } registration) return registration.Token.SessionId;
        if (request.Method != Method.Register || BearerCredentials.Find(request.Headers) is not { } text) return null;
        return tokens.Validate(text, out var token) == RegistrationTokenStatus.Valid ? token!.SessionId : null;
    }

    /// <summary>Handles requests to the domain itself, not to a user of it.</summary>
    private SipResponse? RespondAsDomain(SipRequest request)
    {
        if (request.IsInDialog || !IsForDomain(request)) return null;
        if ((request.Unsupported(HeaderName.ProxyRequire, []) ?? request.Unsupported(HeaderName.Require, Registrar.Extensions))
            is { } unsupported) return unsupported;
        var response = request.Method == Method.Options ? request.Answer(200, "OK", SipRequest.NewTag())
            : Method.IsStandard(request.Method) ? request.Answer(405, "Method Not Allowed", SipRequest.NewTag())
            : request.Answer(501, "Not Implemented", SipRequest.NewTag());
        response.Headers.Add(HeaderName.Allow, OwnMethods);
        if (request.Method == Method.Options) response.Headers.Add(HeaderName.Supported, "path, outbound");
        return response;
    }

    private bool IsForDomain(SipRequest request) => request.SipUri is { User.Length: 0 } uri
        && (uri.Host == settings.HomeDomain || uri.Host == settings.Host);

    private static SipResponse Overload(SipRequest request, string why) => Later(request, 503, $"Service Unavailable: {why}");

    private static SipResponse Later(SipRequest request, int statusCode, string reason)
    {
        var response = request.Answer(statusCode, reason, SipRequest.NewTag());
        response.Headers.Add(HeaderName.RetryAfter, RetryAfterSeconds);
        return response;
    }
}
