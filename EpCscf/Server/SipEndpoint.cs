using System.Net.Sockets;
using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.ServiceDefaults.Admission;

namespace WebRtcIms.EpCscf.Server;

/// <summary>
/// <c>/sip</c>: upgrades to WebSocket with the subprotocol <c>sip</c> (RFC 7118 §4) and passes messages to <see cref="SipServer"/>.
/// The server pings, because browsers cannot send WebSocket pings and JsSIP has no keep-alive of its own.
/// </summary>
internal sealed partial class SipEndpoint(
    Flows flows, ConnectionAdmission admission, SipServer server, LostBindings lostBindings, EpCscfSettings settings, TimeProvider time,
    ILogger<SipEndpoint> logger)
{
    private const string Subprotocol = "sip";

    private readonly List<WebOrigin?> _allowed = settings.AllowedOrigins.ConvertAll(WebOrigin.Parse);

    public async Task AcceptAsync(HttpContext context)
    {
        if (Refuse(context) is { } refusal)
        {
            // RFC 9110 §15.5.22.
            if (!context.WebSockets.IsWebSocketRequest) context.Response.Headers.Upgrade = "websocket";
            await refusal.ExecuteAsync(context);
            return;
        }

        // The place is counted before the upgrade, so that simultaneous connections do not exceed a limit together. A connection that
        // gives way is cut off: a closing handshake would keep it.
        using var place = admission.TryAdmit(context.Connection.RemoteIpAddress, context.Abort);
        if (place is not null)
        {
            await RunAsync(context, place);
            return;
        }

        context.Response.Headers.RetryAfter = "10";
        await Problem(StatusCodes.Status503ServiceUnavailable, "There are too many connections. Try again in a few seconds.")
            .ExecuteAsync(context);
    }

    private async Task RunAsync(HttpContext context, AdmittedConnection place)
    {
        // The span of the upgrade request would last as long as the connection, and contain every call.
        Activity.Current = null;
        // No compression: it would mix the client's own text with tokens in one stream, and needs memory for each connection.
        using var socket = await context.WebSockets.AcceptWebSocketAsync(
            new WebSocketAcceptContext { SubProtocol = Subprotocol, DangerousEnableCompression = false });
        var flow = new Flow(socket, settings, time) { Place = place, ServerNames = NamesOf(context) };
        flows.Add(flow);
        using var check = time.CreateTimer(
            _ => Check(flow, time.GetUtcNow()), null, ConnectionLifetimes.UntilRegistered, ConnectionLifetimes.Check);
        try
        {
            await flow.RunAsync(octets => HandleAsync(flow, octets));
        }
        finally
        {
            if (flow.Registration is { } registration) lostBindings.OnDisconnected(registration.Binding);
            flows.Remove(flow);
        }
    }

    // A message that fails must not end its connection, or another's call.
    private async Task HandleAsync(Flow flow, ReadOnlyMemory<byte> octets)
    {
        try
        {
            await server.HandleAsync(flow, octets);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            LogFailure(error);
        }
    }

    private static string[] NamesOf(HttpContext context)
    {
        var local = context.Connection.LocalIpAddress;
        var address = local is null ? "" : local.AddressFamily == AddressFamily.InterNetworkV6 && !local.IsIPv4MappedToIPv6
            ? $"[{local}]" : $"{local.MapToIPv4()}";
        return [context.Request.Host.Host.ToLowerInvariant(), address];
    }

    private static void Check(Flow flow, DateTimeOffset now)
    {
        if (!flow.IsRegistered) flow.Place?.Demote();
        if (flow.Registration is not { } registration || registration.Binding.ExpiresAt + ConnectionLifetimes.AfterExpiry < now)
            flow.Close(CloseCode.NotRegistered, "not registered");
    }

    private IResult? Refuse(HttpContext context) =>
        !context.WebSockets.IsWebSocketRequest
            ? Problem(StatusCodes.Status426UpgradeRequired, "This is a SIP server; connect with WebSocket.")
        : !context.WebSockets.WebSocketRequestedProtocols.Contains(Subprotocol)
        ? Problem(StatusCodes.Status400BadRequest, "The WebSocket subprotocol must be 'sip'.")
        : !IsAllowedOrigin(context.Request) ? Problem(StatusCodes.Status403Forbidden, "Pages of this origin may not connect.")
        : null;

    private static IResult Problem(int statusCode, string text) => Results.Problem(text, statusCode: statusCode);

    // A browser always names the page's origin, so a client without one is not a browser. The gateway forwards the scheme and the host that
    // the page asked for.
    private bool IsAllowedOrigin(HttpRequest request)
    {
        var origin = request.Headers.Origin;
        if (origin.Count == 0) return true;
        return origin.Count == 1 && WebOrigin.Parse(origin) is { } page
            && (_allowed.Count > 0 ? _allowed.Contains(page) : page == WebOrigin.Of(request));
    }

    [LoggerMessage(1, LogLevel.Error, "A SIP message could not be handled")]
    private partial void LogFailure(Exception error);
}
