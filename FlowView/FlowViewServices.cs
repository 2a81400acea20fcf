using OpenTelemetry.Instrumentation.AspNetCore;
using WebRtcIms.FlowView.Pages;
using WebRtcIms.FlowView.Query;
using WebRtcIms.FlowView.Receiving;
using WebRtcIms.FlowView.Settings;
using WebRtcIms.FlowView.Store;

namespace WebRtcIms.FlowView;

/// <summary>The parts of FlowView: the OTLP receiver, the stores, the API and the pages.</summary>
internal static class FlowViewServices
{
    public static void AddFlowView(this WebApplicationBuilder builder)
    {
        var settings = FlowViewSettings.Read(builder.Configuration);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = settings.RequestOctets);
        // A span for each batch of spans that arrives would fill the view with itself.
        builder.Services.PostConfigure<AspNetCoreTraceInstrumentationOptions>(options => options.Filter = _ => false);
        builder.Services.AddSingleton(settings);
        builder.Services.AddSingleton<TraceStore>();
        builder.Services.AddSingleton<LogStore>();
        OtlpReceiver.AddTo(builder);
        builder.AddQueryApi();
    }

    public static void UseFlowView(this WebApplication app)
    {
        app.UseAccess();
        app.UseRateLimiter();
        app.UsePages();
        OtlpReceiver.MapTo(app);
        app.MapQueryApi();
    }
}
