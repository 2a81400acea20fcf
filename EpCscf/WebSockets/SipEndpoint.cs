using Microsoft.Extensions.Primitives;
using WebRtcIms.EpCscf.Registration;

namespace WebRtcIms.EpCscf.WebSockets;

/// <summary>
/// <c>/sip</c>: upgrades to WebSocket with the subprotocol <c>sip</c> (RFC 7118 §4) and gives the messages to the server.
/// Browsers cannot send WebSocket pings and JsSIP has no keep-alive of its own, so we ping.
/// </summary>
internal static partial class SipEndpoint
{
    private const string Subprotocol = "sip";

    private static readonly TimeSpan PingInterval = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan RegistrationTimeout = TimeSpan.FromSeconds(30);

    public static void MapSip(this WebApplication app)
    {
        app.UseWebSockets(new WebSocketOptions { KeepAliveInterval = PingInterval, KeepAliveTimeout = PingInterval });
        app.Map("/sip", AcceptAsync);
        app.Lifetime.ApplicationStopping.Register(app.Services.GetRequiredService<Flows>().CloseAll);
    }

    private static async Task AcceptAsync(
        HttpContext context, Flows flows, SipServer server, Registrar registrar, EpCscfSettings settings, TimeProvider time, ILogger<Flow> logger)
    {
        if (Refusal(context, flows, settings) is { } refusal)
        {
            await Results.Problem(refusal.Text, statusCode: refusal.Status).ExecuteAsync(context);
            return;
        }

        // The request of the upgrade would be a span as long as the connection, with every call below it.
        System.Diagnostics.Activity.Current = null;
        // No compression: what a client chose and tokens would share a stream, and it costs memory for each connection.
        using var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext { SubProtocol = Subprotocol, DangerousEnableCompression = false });
        var flow = new Flow(socket, settings, time);
        flows.Add(flow);
        using var timeout = time.CreateTimer(_ => CloseUnregistered(flow, time.GetUtcNow()), null, RegistrationTimeout, RegistrationTimeout);
        try
        {
            await flow.RunAsync(octets => HandleAsync(server, flow, octets, logger));
        }
        finally
        {
            if (flow.Registration is { } registration) registrar.FlowLost(registration);
            flows.Remove(flow);
        }
    }

    // What one message does wrong in here must not end the connection, or another's call.
    private static async Task HandleAsync(SipServer server, Flow flow, ReadOnlyMemory<byte> octets, ILogger logger)
    {
        try
        {
            await server.HandleAsync(flow, octets);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            LogFailure(logger, error);
        }
    }

    private static void CloseUnregistered(Flow flow, DateTimeOffset now)
    {
        if (flow.Registration is not { } registration || registration.Binding.ExpiresAt + Registrar.ConnectionOutlives < now) flow.Close(CloseCode.NotRegistered, "not registered");
    }

    private static (int Status, string Text)? Refusal(HttpContext context, Flows flows, EpCscfSettings settings)
    {
        if (!context.WebSockets.IsWebSocketRequest) return (StatusCodes.Status426UpgradeRequired, "This is a SIP server; connect with WebSocket.");
        if (!context.WebSockets.WebSocketRequestedProtocols.Contains(Subprotocol)) return (StatusCodes.Status400BadRequest, "The WebSocket subprotocol must be 'sip'.");
        if (!IsAllowedOrigin(context.Request, settings)) return (StatusCodes.Status403Forbidden, "Pages of this origin may not connect.");
        if (flows.Count < settings.Limits.Connections) return null;
        context.Response.Headers.RetryAfter = "10";
        return (StatusCodes.Status503ServiceUnavailable, "There are too many connections. Try again in a few seconds.");
    }

    // A browser always names the page's origin; what names none is no browser. The gateway says which host the page asked for.
    private static bool IsAllowedOrigin(HttpRequest request, EpCscfSettings settings)
    {
        var origin = request.Headers.Origin;
        if (StringValues.IsNullOrEmpty(origin)) return true;
        if (settings.AllowedOrigins.Count > 0) return settings.AllowedOrigins.Contains(origin.ToString(), StringComparer.OrdinalIgnoreCase);
        var host = request.Headers["X-Forwarded-Host"].FirstOrDefault() ?? request.Host.Value;
        return Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Authority.Equals(host, StringComparison.OrdinalIgnoreCase);
    }

    [LoggerMessage(1, LogLevel.Error, "A SIP message could not be handled")]
    private static partial void LogFailure(ILogger logger, Exception error);
}
