using System.Threading.RateLimiting;
using OpenTelemetry.Instrumentation.AspNetCore;
using OpenTelemetry.Instrumentation.Http;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace WebRtcIms.WicWeb;

/// <summary>
/// FlowView through the gateway: its pages under <c>/flow</c>, for reading only, and <c>POST /v1/traces</c> for the spans of
/// the page. Those are few, small and counted per client, and FlowView takes them as the page's whatever they call themselves.
/// </summary>
internal static class FlowViewRoutes
{
    public const string ClusterId = "flow-view";

    private const string PageSpansPolicy = "page-spans";
    private const int PageSpansPerMinute = 60;

    public static readonly RouteConfig[] Routes =
    [
        new() { RouteId = "flow-view-start", ClusterId = ClusterId, Match = new RouteMatch { Path = "/flow", Methods = ["GET"] } },
        new()
        {
            RouteId = "flow-view",
            ClusterId = ClusterId,
            Match = new RouteMatch { Path = "/flow/{**rest:regex(^[a-zA-Z0-9/._-]*$)}", Methods = ["GET"] },
        },
        new()
        {
            RouteId = "page-spans",
            ClusterId = ClusterId,
            RateLimiterPolicy = PageSpansPolicy,
            Match = new RouteMatch { Path = "/v1/traces", Methods = ["POST"] },
            Transforms = [new Dictionary<string, string> { ["PathSet"] = "/v1/page/traces" }],
        },
    ];

    public static readonly ClusterConfig Cluster = new()
    {
        ClusterId = ClusterId,
        Destinations = new Dictionary<string, DestinationConfig> { ["flow-view"] = new() { Address = "https+http://flow-view" } },
        // Its live feed says something every ten seconds.
        HttpRequest = new ForwarderRequestConfig { ActivityTimeout = TimeSpan.FromSeconds(30) },
    };

    public static void AddFlowViewRoutes(this WebApplicationBuilder builder)
    {
        builder.Services.AddRateLimiter(limiter =>
        {
            limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
            limiter.AddPolicy(PageSpansPolicy, context => RateLimitPartition.GetFixedWindowLimiter(
                context.Connection.RemoteIpAddress?.ToString() ?? "",
                _ => new FixedWindowRateLimiterOptions { PermitLimit = PageSpansPerMinute, Window = TimeSpan.FromMinutes(1) }));
        });

        // Looking at traces must not make traces.
        builder.Services.PostConfigure<AspNetCoreTraceInstrumentationOptions>(options =>
        {
            var isWanted = options.Filter;
            options.Filter = context => !IsOfFlowView(context.Request.Path) && isWanted?.Invoke(context) is not false;
        });
        builder.Services.PostConfigure<HttpClientTraceInstrumentationOptions>(options =>
            options.FilterHttpRequestMessage = request => !IsOfFlowView(request.RequestUri?.AbsolutePath ?? ""));
    }

    private static bool IsOfFlowView(PathString path) => path.StartsWithSegments("/flow") || path.StartsWithSegments("/v1");
}
