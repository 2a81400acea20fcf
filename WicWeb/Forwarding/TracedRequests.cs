using OpenTelemetry.Instrumentation.AspNetCore;
using OpenTelemetry.Instrumentation.Http;

namespace WebRtcIms.WicWeb.Forwarding;

/// <summary>
/// The requests that get spans: those of the API. Polls, files of the page, requests for traces and the SIP connection would fill FlowView
/// with themselves. Each SIP request has a span of its own at the eP-CSCF.
/// </summary>
internal static class TracedRequests
{
    public static void AddTo(IServiceCollection services)
    {
        services.PostConfigure<AspNetCoreTraceInstrumentationOptions>(options => options.Filter = context => IsTraced(context.Request));
        services.PostConfigure<HttpClientTraceInstrumentationOptions>(options =>
            options.FilterHttpRequestMessage = request => !FlowViewRoutes.IsOfFlowView(request.RequestUri?.AbsolutePath ?? ""));
    }

    private static bool IsTraced(HttpRequest request) =>
        request.Path.StartsWithSegments("/api")
        && !(HttpMethods.IsGet(request.Method) && request.Path.StartsWithSegments(Gateway.DirectoryPath));
}
