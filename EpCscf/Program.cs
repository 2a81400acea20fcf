using Microsoft.AspNetCore.Connections;
using WebRtcIms.EpCscf;

// The eP-CSCF: SIP over WebSocket for browsers, registration by token, calls between those who are registered.
try
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    builder.AddEpCscf(EpCscfSettings.Read(builder.Configuration));

    var app = builder.Build();
    app.MapDefaultEndpoints();
    app.MapEpCscf();
    await app.RunAsync();
    return 0;
}
catch (SettingsException error)
{
    await Console.Error.WriteLineAsync($"eP-CSCF cannot start. {error.Message}");
    return 1;
}
catch (IOException error) when (error.InnerException is AddressInUseException)
{
    await Console.Error.WriteLineAsync($"eP-CSCF cannot start. {error.Message} Choose another port with ASPNETCORE_URLS.");
    return 1;
}
