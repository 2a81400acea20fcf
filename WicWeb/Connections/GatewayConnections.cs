using System.Diagnostics.Metrics;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Features;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.WicWeb.Forwarding;
using WebRtcIms.WicWeb.Sessions;
using WebRtcIms.WicWeb.Settings;

namespace WebRtcIms.WicWeb.Connections;

/// <summary>
/// Bounds the TCP connections of the gateway, from before the TLS handshake. A connection in its handshake, with slow headers or between
/// two requests gives way first. One with a request in flight gives way last, which includes the WebSocket of a stranger. One with the
/// WebSocket of a live session never gives way. HTTP/2 carries many requests over a connection, which counts once. Each of them needs
/// a connection to a backend, so the requests in flight of an address are bounded also.
/// </summary>
internal static partial class GatewayConnections
{
    private static readonly TimeSpan HeadersTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(30);

    // A page needs fewer at once, and further ones wait in the browser.
    private const int StreamsOfConnection = 20;

    public static void AddConnections(this WebApplicationBuilder builder, ConnectionSettings settings, IReadOnlyList<string> proxies)
    {
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.RequestHeadersTimeout = HeadersTimeout;
            kestrel.Limits.KeepAliveTimeout = IdleTimeout;
            // A client that has vanished keeps its streams open.
            kestrel.Limits.Http2.KeepAlivePingDelay = PingDelay;
            kestrel.Limits.Http2.MaxStreamsPerConnection = StreamsOfConnection;
        });
        builder.Services.AddRateLimiter(limiter => limiter.GlobalLimiter = RequestsInFlight(settings));
        var limits = settings.Limits;
        builder.Services.AddSingleton(provider => new ConnectionAdmission(
            "gateway", limits, provider.GetRequiredService<IMeterFactory>(), provider.GetRequiredService<ILogger<ConnectionAdmission>>())
        {
            Proxies = KnownProxies.NetworksOf(proxies),
        });
        if (proxies.Count > 0) KnownProxies.AddTo(builder.Services, proxies, isLoopbackKnown: false);
        AdmittedListeners.AddTo(builder.Services, (provider, _) => provider.GetRequiredService<ConnectionAdmission>());
    }

    public static void UseConnections(this WebApplication app, ConnectionSettings settings, IReadOnlyList<string> proxies)
    {
        if (settings.Limits is var limits && limits.Total < settings.Total) LogLowered(app.Logger, FileDescriptors.Limit, limits.Total);
        if (proxies.Count > 0)
        {
            app.UseForwardedHeaders();
            // A proxy may pass on an X-Forwarded-Host that a stranger has sent.
            app.Use(app.Services.GetRequiredService<HostCheck>().CheckAsync);
        }

        var sessions = app.Services.GetRequiredService<LiveSessions>();
        app.Use((context, next) =>
            context.Features.Get<AdmittedConnection>() is { } place ? CountAsync(place, sessions, context, next) : next(context));
    }

    // More than the connections with a request in flight, so that over HTTP/1.1 the oldest gives way instead. The eP-CSCF bounds
    // WebSockets.
    private static PartitionedRateLimiter<HttpContext> RequestsInFlight(ConnectionSettings settings) =>
        PartitionedRateLimiter.Create<HttpContext, string>(context => context.Request.Path == Gateway.SipPath
            ? RateLimitPartition.GetNoLimiter("")
            : RateLimitPartition.GetConcurrencyLimiter(
                CallerAddress.Of(context), _ => new ConcurrencyLimiterOptions { PermitLimit = 2 * settings.IdlePerAddress }));

    private static Task CountAsync(AdmittedConnection place, LiveSessions sessions, HttpContext context, RequestDelegate next)
    {
        var isWebSocket = false;
        context.Response.OnStarting(async () =>
        {
            if (!IsAcceptedWebSocket(context) || await sessions.FindAsync(context) is null) return;
            isWebSocket = true;
            place.AcceptWebSocket();
        });
        // A connection that gives way is reset, so it stays in use until its response is written.
        context.Response.OnCompleted(() =>
        {
            place.EndRequest(isWebSocket);
            return Task.CompletedTask;
        });
        place.BeginRequest();
        return next(context);
    }

    // Over HTTP/2 the accepted CONNECT has the status 200 (RFC 8441 §5).
    private static bool IsAcceptedWebSocket(HttpContext context) =>
        context.Response.StatusCode == StatusCodes.Status101SwitchingProtocols
        || (context.Response.StatusCode == StatusCodes.Status200OK
            && context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true });

    [LoggerMessage(
        1, LogLevel.Information,
        "The limit of open files (ulimit -n) is {Limit}, so there are at most {Connections} connections. Raise it, or lower " +
        "WicWeb:Connections:Total")]
    private static partial void LogLowered(ILogger logger, int? limit, int connections);
}
