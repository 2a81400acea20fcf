using WebRtcIms.ServiceDefaults;
using WebRtcIms.Turn;
using WebRtcIms.Turn.Management;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Transport.Streams;

return await ServiceHost.RunAsync(
    "TURN", args, builder =>
    {
        var settings = builder.Configuration.ReadTurnSettings();
        builder.AddTurn(settings);
        // Kestrel takes its endpoints either from ASPNETCORE_URLS or from code. TURN is in code, so management must be also.
        var managementUrls = ManagementSettings.Urls(builder.Configuration);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            foreach (var url in managementUrls) ManagementEndpoint.Listen(kestrel, url);
            kestrel.ListenForTurn(settings);
        });
    }, app =>
    {
        app.Services.ObserveTurn();
        app.MapManagement();
    },
    ports: "Turn:Port or Turn:TlsPort (TURN) or ASPNETCORE_URLS (management)");
