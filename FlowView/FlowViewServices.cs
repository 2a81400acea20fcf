using OpenTelemetry.Instrumentation.AspNetCore;
using WebRtcIms.FlowView.Pages;
using WebRtcIms.FlowView.Query;
using WebRtcIms.FlowView.Receiving;
using WebRtcIms.FlowView.Settings;
using WebRtcIms.FlowView.Store;
using WebRtcIms.ServiceDefaults.Admission;

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
        KnownProxies.AddTo(builder.Services, settings.KnownProxies);
        // A page that listens proves nothing here, so each gives way.
        var streams = new ConnectionLimits(settings.EventStreamsPerAddress, settings.EventStreams, 1, settings.EventStreams);
        builder.Services.AddSingleton(provider =>
            ActivatorUtilities.CreateInstance<ConnectionAdmission>(provider, "flow_view_events", streams));
        builder.Services.AddSingleton(provider =>
            new TraceStore(settings, CallQuery.IsCall, provider.GetRequiredService<TimeProvider>()));
        builder.Services.AddHostedService<Sweeper>();
        builder.Services.AddSingleton<LogStore>();
        OtlpReceiver.AddTo(builder);
        builder.AddQueryApi();
    }

    public static void UseFlowView(this WebApplication app)
    {
        app.UseAccess();
        KnownProxies.UseIn(app, "FlowView:KnownProxies");
        app.UseRateLimiter();
        app.UsePages();
        OtlpReceiver.MapTo(app);
        app.MapQueryApi();
    }
}
