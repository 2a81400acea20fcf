using Microsoft.AspNetCore.Connections;
using WebRtcIms.Turn;
using WebRtcIms.Turn.Management;
using WebRtcIms.Turn.Transport.Streams;
using WebRtcIms.Turn.Settings;

try
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    var settings = builder.Configuration.ReadTurnSettings();
    builder.AddTurn(settings);

    // Kestrel takes its endpoints either from ASPNETCORE_URLS or from code; with TURN in code, management must be there, too.
    var managementUrls = ManagementSettings.Urls(builder.Configuration);
    builder.WebHost.ConfigureKestrel(kestrel =>
    {
        foreach (var url in managementUrls) ManagementEndpoint.Listen(kestrel, url);
        kestrel.ListenForTurn(settings);
    });

    var app = builder.Build();
    app.MapDefaultEndpoints();
    app.Services.ObserveTurn();
    app.MapManagement();
    await app.RunAsync();
    return 0;
}
catch (StartupException error)
{
    await Console.Error.WriteLineAsync($"TURN cannot start. {error.Message}");
    return 1;
}
catch (IOException error) when (error.InnerException is AddressInUseException)
{
    await Console.Error.WriteLineAsync($"TURN cannot start. {error.Message} Choose another port with Turn:Port or Turn:TlsPort (TURN) or ASPNETCORE_URLS (management).");
    return 1;
}
