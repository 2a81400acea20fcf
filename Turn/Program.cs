using System.Net;
using Microsoft.AspNetCore.Connections;
using WebRtcIms.Turn;
using WebRtcIms.Turn.Transport;

try
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    var settings = builder.Configuration.ReadTurnSettings();
    builder.AddTurn(settings);
    builder.WebHost.ConfigureKestrel(kestrel =>
    {
        // Endpoints given in code replace those of ASPNETCORE_URLS, so the management address is listed, too.
        foreach (var url in (builder.Configuration["urls"] ?? "http://localhost:8083").Split(';')) ManagementEndpoint.Listen(kestrel, url);
        foreach (var address in settings.ListenAddresses())
            kestrel.Listen(new IPEndPoint(address, settings.Port), listen => listen.UseConnectionHandler<TurnConnectionHandler>());
    });

    var app = builder.Build();
    app.MapDefaultEndpoints();
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
    await Console.Error.WriteLineAsync($"TURN cannot start. {error.Message} Choose another port with Turn:Port (TURN) or ASPNETCORE_URLS (management).");
    return 1;
}
