using System.Diagnostics;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Replicas;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Transactions;
using WebRtcIms.EpCscf.WebSockets;

namespace WebRtcIms.EpCscf;

/// <summary>
/// Takes each message of a connection to where it belongs: the transaction that it is part of, the registrar, or the proxy.
/// </summary>
internal sealed class SipServer(
    Registrar registrar, Proxy proxy, Cancellation cancellation, ProxiedRequests requests, TransactionTable transactions, Flows flows, Delivery delivery,
    IReplicas replicas, EpCscfSettings settings, TimeProvider time, EpCscfTelemetry telemetry)
{
    /// <summary>Methods of the SIP RFCs; to a user, others are forwarded as well.</summary>
    public static readonly string[] KnownMethods =
    [
        "ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE",
    ];

    private const string OwnMethods = "REGISTER, OPTIONS";
    private const string RetryAfterSeconds = "5";

    public async Task HandleAsync(Flow flow, ReadOnlyMemory<byte> octets)
    {
        var isWithinRate = flow.TakeRate();
        var parsed = SipParser.Parse(octets.Span);
        switch (parsed.Message)
        {
            case null:
                telemetry.Dropped("malformed");
                if (parsed.Answer is { } answer) flow.Send(answer);
                break;
            case SipResponse response:
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
        if (transactions.Find(flow.Place, request) is { } known)
        {
            known.Take(request);
            return;
        }

        if (request.Method == Method.Ack)
        {
            await proxy.RouteAckAsync(flow, request);
            return;
        }

        // What belongs to a call that is up is the last to be refused: to end it is what helps; as a CANCEL does.
        if (transactions.Count >= (request.IsInDialog || request.Method == Method.Cancel ? 2 : 1) * settings.Limits.Transactions)
        {
            telemetry.Dropped("overload");
            flow.Send(Overload(request, "overload"));
            return;
        }

        var (server, gate, span) = Begin(flow, request);
        try
        {
            await AnswerAsync(flow, request, server, gate, span);
        }
        catch
        {
            // Who asked must not wait for an answer that nobody will give. A final answer that has been given stays.
            server.Respond(Failure(request));
            requests.Find(server)?.Cancel();
            throw;
        }
    }

    private async Task AnswerAsync(Flow flow, SipRequest request, ServerTransaction server, Lock gate, Activity? span)
    {
        if (request.Method == Method.Register)
        {
            server.Respond(await WithSpanAsync(span, () => registrar.RegisterAsync(flow, request)));
        }
        else if (request.Method == Method.Cancel)
        {
            cancellation.Take(server, flow);
        }
        else if (AnswerOurselves(request) is { } own)
        {
            server.Respond(own);
        }
        else
        {
            // §17.2.1: at once, since nobody knows how long the callee takes.
            if (request.Method == Method.Invite) server.Respond(request.Answer(100, "Trying"));
            await WithSpanAsync(span, async () =>
            {
                await proxy.RouteAsync(flow, request, server, gate, span);
                return true;
            });
        }
    }

    private void Handle(Flow flow, SipResponse response, ReadOnlyMemory<byte> octets)
    {
        // Our Via on top, and from the place that we sent the request to.
        var via = response.TopVia;
        if (via.SentBy == settings.Host && transactions.Find(flow.Place, response) is { } client) client.Take(response);
        else if (via.SentBy == settings.Host && flow.Registration is { } registration && Proxy.ReplicaOf(via.Branch) is { } owner && owner != replicas.Self)
            _ = HandOverAsync(owner, new(HandOverKind.Response, registration.Binding.Id, octets.ToArray()));
        else telemetry.Dropped("stray_response");
    }

    private async Task HandOverAsync(string replica, HandOver response)
    {
        if (!await replicas.SendAsync(replica, response)) telemetry.Dropped("stray_response");
    }

    private (ServerTransaction Server, Lock Gate, Activity? Span) Begin(Flow flow, SipRequest request)
    {
        var gate = new Lock();
        var span = EpCscfTelemetry.StartServer(request);
        var binding = flow.Registration?.Binding.Id;
        var began = time.GetTimestamp();
        var isSetUp = request.Method != Method.Invite || request.IsInDialog;
        bool Send(SipResponse response)
        {
            if (!isSetUp && response.StatusCode > 100)
            {
                isSetUp = true;
                telemetry.CallSetUp(response.StatusCode, time.GetElapsedTime(began), span);
            }
            if (!response.IsProvisional) telemetry.Answered(request.Method, response.StatusCode, time.GetElapsedTime(began), span);
            // A page that has reconnected meanwhile gets its answer over the new connection.
            var octets = SipWriter.Write(response);
            if (binding is not { } id) return flow.Send(octets);
            if (flows.Find(id) is null && flow.Send(octets)) return true;
            delivery.Send(id, replica: null, octets);
            return true;
        }

        ServerTransaction server = request.Method == Method.Invite
            ? new InviteServerTransaction(request, Send, time, gate)
            : new NonInviteServerTransaction(request, Send, time, gate);
        transactions.Add(flow.Place, server);
        return (server, gate, span);
    }

    /// <summary>Requests to the domain itself, not to somebody in it.</summary>
    private SipResponse? AnswerOurselves(SipRequest request)
    {
        if (request.IsInDialog || request.SipUri is not { User.Length: 0 } uri || (uri.Host != settings.HomeDomain && uri.Host != settings.Host)) return null;
        var response = request.Method == Method.Options ? request.Answer(200, "OK", SipRequest.NewTag())
            : Array.IndexOf(KnownMethods, request.Method) >= 0 ? request.Answer(405, "Method Not Allowed", SipRequest.NewTag())
            : request.Answer(501, "Not Implemented", SipRequest.NewTag());
        response.Headers.Add(HeaderName.Allow, OwnMethods);
        if (request.Method == Method.Options) response.Headers.Add(HeaderName.Supported, "path, outbound");
        return response;
    }

    private static SipResponse Failure(SipRequest request) => Later(request, 500, "Server Internal Error");

    private static SipResponse Overload(SipRequest request, string why) => Later(request, 503, $"Service Unavailable: {why}");

    private static SipResponse Later(SipRequest request, int statusCode, string reason)
    {
        var response = request.Answer(statusCode, reason, SipRequest.NewTag());
        response.Headers.Add(HeaderName.RetryAfter, RetryAfterSeconds);
        return response;
    }

    private static async Task<T> WithSpanAsync<T>(Activity? span, Func<Task<T>> action)
    {
        // Of this call alone: the flow is not restored into the caller of an async method.
        Activity.Current = span;
        return await action();
    }
}
