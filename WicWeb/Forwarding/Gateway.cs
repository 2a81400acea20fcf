using WebRtcIms.WicWeb.Settings;
using Yarp.ReverseProxy.ServiceDiscovery;
using Yarp.ReverseProxy.Transforms;

namespace WebRtcIms.WicWeb.Forwarding;

/// <summary>
/// Forwards <c>/api/**</c> to the WWSF, with the same path; <c>/sip</c> (WebSocket) and <c>/api/directory</c> to the eP-CSCF; and the
/// paths of <see cref="FlowViewRoutes"/>. Clients reach nothing else of a backend: no health endpoint, no token endpoint. The gateway's
/// own span continues the caller's <c>traceparent</c>.
/// </summary>
internal static class Gateway
{
    /// <summary>The cluster of the WWSF.</summary>
    public const string Wwsf = "wwsf";

    public const string SipPath = "/sip";

    /// <summary>The page polls it.</summary>
    public const string DirectoryPath = "/api/directory";

    private const string Directory = "directory";

    // The largest request is a log-in: user name and password.
    private const int MaxRequestBodyBytes = 16 * 1024;

    // How the names of headers begin that proxies write.
    private static readonly string[] Claims = ["Forwarded", "X-Forwarded-", "X-Original-", "X-Real-IP"];

    // The API's paths are plain words. Dots, encoded slashes and other characters that two servers may read as different paths do
    // not match, so they are not forwarded.
    private static readonly RouteConfig[] Routes =
    [
        new()
        {
            RouteId = Directory,
            ClusterId = "ep-cscf",
            Order = -1,
            Match = new RouteMatch { Path = DirectoryPath, Methods = ["GET"] },
            Transforms = [new Dictionary<string, string> { ["PathSet"] = "/directory" }],
        },
        // Any method: a WebSocket over HTTP/2 begins with CONNECT (RFC 8441 §4), which YARP cannot match.
        new() { RouteId = "sip", ClusterId = "ep-cscf", Match = new RouteMatch { Path = SipPath } },
        new() { RouteId = "wwsf", ClusterId = Wwsf, Match = new RouteMatch { Path = "/api/{**rest:regex(^[a-z0-9/-]+$)}" } },
    ];

    /// <summary>
    /// Requests go on with the octets that came. By default text beyond ASCII is an error, and a page of a sibling domain can plant a
    /// cookie with it. UTF-8 never makes a line end of other characters.
    /// </summary>
    public static readonly HttpClientConfig AnyText = new() { RequestHeaderEncoding = "utf-8" };

    private static readonly ClusterConfig[] Clusters =
    [
        new()
        {
            ClusterId = Wwsf,
            Destinations = new Dictionary<string, DestinationConfig> { ["wwsf"] = new() { Address = "https+http://wwsf" } },
            HttpClient = AnyText,
            HttpRequest = new ForwarderRequestConfig { ActivityTimeout = TimeSpan.FromSeconds(20) },
        },
        new()
        {
            ClusterId = "ep-cscf",
            Destinations = new Dictionary<string, DestinationConfig> { ["ep-cscf"] = new() { Address = "https+http://ep-cscf" } },
            HttpClient = AnyText,
            // The eP-CSCF pings each connection every 20 s.
            HttpRequest = new ForwarderRequestConfig { ActivityTimeout = TimeSpan.FromSeconds(60) },
        },
    ];

    public static void AddGateway(this WebApplicationBuilder builder, WicWebSettings settings)
    {
        RouteConfig[] flowRoutes = settings.Flow == FlowReaders.Off ? [] : FlowViewRoutes.RoutesAt(settings.FlowHost);
        ClusterConfig[] flowClusters = settings.Flow == FlowReaders.Off ? [] : [FlowViewRoutes.Cluster];
        var flowKey = FlowViewKey.Of(builder.Configuration);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = MaxRequestBodyBytes);
        builder.Services.AddSingleton<FlowAccess>();
        FlowSignIn.AddTo(builder, settings);
        TracedRequests.AddTo(builder.Services);
        builder.Services.AddSingleton<BackendLog>();
        builder.Services.AddSingleton<IDestinationResolver, DiscoveredDestinations>();
        builder.Services.AddReverseProxy()
            .LoadFromMemory([.. Routes, .. flowRoutes], [.. Clusters, .. flowClusters])
            .ConfigureHttpClient((_, handler) => Configure(handler))
            .AddTransforms(context =>
            {
                context.AddRequestTransform(RemoveClaims);
                // A backend gets only the credentials that it checks.
                if (context.Route.ClusterId != Wwsf) context.AddRequestHeaderRemove("Cookie");
                if (context.Route.RouteId != Directory) context.AddRequestHeaderRemove("Authorization");
                if (context.Route.ClusterId == FlowViewRoutes.ClusterId && flowKey is not null)
                    context.AddRequestHeader(FlowViewKey.Header, flowKey, append: false);
                context.AddResponseHeaderRemove("Server", ResponseCondition.Always);
            });
    }

    /// <summary>How the gateway connects to backends.</summary>
    internal static void Configure(SocketsHttpHandler handler)
    {
        handler.ConnectTimeout = TimeSpan.FromSeconds(3);
        // A balancer of connections gives new ones to a replica that has come back. Without a limit the old ones are kept for ever.
        handler.PooledConnectionLifetime = TimeSpan.FromMinutes(1);
    }

    // A stranger's claims about the address or the host, and what a known proxy has claimed. YARP then adds its own X-Forwarded-*.
    private static ValueTask RemoveClaims(RequestTransformContext context)
    {
        var headers = context.ProxyRequest.Headers;
        foreach (var name in context.HttpContext.Request.Headers.Keys.Where(IsClaim)) headers.Remove(name);
        return ValueTask.CompletedTask;
    }

    private static bool IsClaim(string name) => Array.Exists(Claims, start => name.StartsWith(start, StringComparison.OrdinalIgnoreCase));

    public static void MapGateway(this WebApplication app) => app.MapReverseProxy(proxy =>
    {
        proxy.Use(app.Services.GetRequiredService<FlowAccess>().CheckAsync);
        proxy.Use(BackendProblems.WriteAsync);
        // To the replica with fewer requests of two. Without it one is taken at random, with a warning for each request.
        proxy.UseLoadBalancing();
    });
}
