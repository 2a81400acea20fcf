using WebRtcIms.WicWeb.Forwarding;
using WebRtcIms.WicWeb.Pages;
using WebRtcIms.WicWeb.PageSpans;

namespace WebRtcIms.WicWeb;

/// <summary>The parts of the gateway: the page, the routes to the backends, and the page's spans.</summary>
internal static class WicWebServices
{
    public static void AddWicWeb(this WebApplicationBuilder builder)
    {
        builder.AddPage();
        builder.AddGateway();
        PageSpanEndpoint.AddTo(builder);
        builder.AddPublicHttps(WicWebSettings.Read(builder.Configuration));
    }

    public static void UseWicWeb(this WebApplication app)
    {
        app.UseSecurityHeaders();
        app.UsePage();
        app.UseRateLimiter();
        PageSpanEndpoint.MapTo(app);
        app.MapGateway();
    }
}
