namespace WebRtcIms.WicWeb.Forwarding;

/// <summary>FlowView through the gateway: its pages under <c>/flow</c>, for reading only.</summary>
internal static class FlowViewRoutes
{
    public const string ClusterId = "flow-view";

    /// <summary>An event stream.</summary>
    public const string EventsPath = "/flow/api/events";

    private static readonly RouteConfig[] Routes =
    [
        new() { RouteId = "flow-view-start", ClusterId = ClusterId, Match = new RouteMatch { Path = "/flow", Methods = ["GET"] } },
        new()
        {
            RouteId = "flow-view",
            ClusterId = ClusterId,
            Match = new RouteMatch { Path = "/flow/{**rest:regex(^[a-zA-Z0-9/._-]*$)}", Methods = ["GET"] },
        },
    ];

    public static readonly ClusterConfig Cluster = new()
    {
        ClusterId = ClusterId,
        Destinations = new Dictionary<string, DestinationConfig> { ["flow-view"] = new() { Address = "https+http://flow-view" } },
        HttpClient = Gateway.AnyText,
        // The live feed sends an event every ten seconds.
        HttpRequest = new ForwarderRequestConfig { ActivityTimeout = TimeSpan.FromSeconds(30) },
    };

    /// <param name="host">The host that has them; empty for every host.</param>
    public static RouteConfig[] RoutesAt(string host) => host.Length == 0
        ? Routes
        : [.. Routes.Select(route => route with { Match = route.Match with { Hosts = [host] } })];

    /// <summary>The host of FlowView has no page and no API, so that nothing of the one can reach the other (ASVS 3.5.4).</summary>
    public static void UseFlowHost(this WebApplication app, string host)
    {
        if (host.Length == 0) return;
        app.Use((context, next) =>
            string.Equals(context.Request.Host.Host, host, StringComparison.OrdinalIgnoreCase) && !IsOfFlowView(context.Request.Path)
                ? Results.NotFound().ExecuteAsync(context)
                : next(context));
    }

    public static bool IsOfFlowView(PathString path) => path.StartsWithSegments("/flow") || path.StartsWithSegments("/v1");
}
