using WebRtcIms.WicWeb.Connections;
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
        var settings = WicWebSettings.Read(builder.Configuration);
        builder.Services.AddSingleton(settings);
        builder.AddPublicHttps(settings);
        builder.AddConnections(settings.Connections, settings.KnownProxies);
    }

    public static void UseWicWeb(this WebApplication app)
    {
        var settings = app.Services.GetRequiredService<WicWebSettings>();
        app.UseConnections(settings.Connections, settings.KnownProxies);
        app.UseSecurityHeaders();
        app.UsePage();
        app.UseRateLimiter();
        PageSpanEndpoint.MapTo(app);
        app.MapGateway();
    }
}
