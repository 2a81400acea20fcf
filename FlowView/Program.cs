using Microsoft.AspNetCore.Connections;
using OpenTelemetry.Instrumentation.AspNetCore;
using WebRtcIms.FlowView;
using WebRtcIms.FlowView.Pages;
using WebRtcIms.FlowView.Query;
using WebRtcIms.FlowView.Receiving;
using WebRtcIms.FlowView.Store;

// Receives OTLP under /v1, keeps the latest spans and log records in memory, and shows calls under /flow.
try
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    // A span for each batch of spans that arrives would fill the view with itself.
    builder.Services.PostConfigure<AspNetCoreTraceInstrumentationOptions>(options => options.Filter = _ => false);
    var settings = FlowViewSettings.Read(builder.Configuration);
    builder.WebHost.ConfigureKestrel(kestrel =>
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = settings.RequestOctets;
    });
    builder.Services.AddSingleton(settings);
    builder.Services.AddSingleton<TraceStore>();
    builder.Services.AddSingleton<LogStore>();
    OtlpReceiver.AddTo(builder);
    builder.AddQueryApi();

    var app = builder.Build();
    app.UseRateLimiter();
    app.UsePages();
    app.MapDefaultEndpoints();
    OtlpReceiver.MapTo(app);
    app.MapQueryApi();
    await app.RunAsync();
    return 0;
}
catch (SettingsException error)
{
    await Console.Error.WriteLineAsync($"FlowView cannot start. {error.Message}");
    return 1;
}
catch (IOException error) when (error.InnerException is AddressInUseException)
{
    await Console.Error.WriteLineAsync($"FlowView cannot start. {error.Message} Choose another port with ASPNETCORE_URLS.");
    return 1;
}
