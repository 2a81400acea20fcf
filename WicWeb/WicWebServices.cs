using WebRtcIms.WicWeb.Connections;
using WebRtcIms.WicWeb.Forwarding;
using WebRtcIms.WicWeb.Pages;
using WebRtcIms.WicWeb.PageSpans;
using WebRtcIms.WicWeb.Sessions;
using WebRtcIms.WicWeb.Settings;

namespace WebRtcIms.WicWeb;

/// <summary>The parts of the gateway: the page, the routes to the backends, and the page's spans.</summary>
internal static class WicWebServices
{
    public static void AddWicWeb(this WebApplicationBuilder builder)
    {
        var settings = WicWebSettings.Read(builder.Configuration, builder.Environment);
        builder.Services.AddSingleton(settings);
        builder.Services.AddHsts(https =>
        {
            https.MaxAge = TimeSpan.FromDays(365);
            https.IncludeSubDomains = settings.HstsSubDomains;
        });
        builder.AddPage();
        builder.AddGateway(settings);
        TraceBoundary.AddTo(builder.Services);
        PageSpanEndpoint.AddTo(builder);
        builder.AddPublicHttps(settings);
        builder.AddConnections(settings.Connections, settings.KnownProxies);
    }

    public static void UseWicWeb(this WebApplication app)
    {
        var settings = app.Services.GetRequiredService<WicWebSettings>();
        app.UseConnections(settings.Connections, settings.KnownProxies);
        if (!app.Environment.IsDevelopment()) app.UseHsts();
        app.UseSecurityHeaders();
        app.UseFlowHost(settings.FlowHost);
        FlowSignIn.UseIn(app, settings);
        app.UsePage();
        app.EndAtStop();
        app.UseRateLimiter();
        PageSpanEndpoint.MapTo(app);
        app.MapGateway();
    }
}
