using Microsoft.AspNetCore.Connections;
using WebRtcIms.Stores;
using WebRtcIms.Wwsf;
using WebRtcIms.Wwsf.Settings;

try
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    builder.AddWwsf();

    var app = builder.Build();
    app.UseWwsf();
    app.MapDefaultEndpoints();
    await app.RunAsync();
    return 0;
}
catch (Exception error) when (error is SettingsException or StoreException)
{
    await Console.Error.WriteLineAsync($"WWSF cannot start. {error.Message}");
    return 1;
}
catch (IOException error) when (error.InnerException is AddressInUseException)
{
    await Console.Error.WriteLineAsync($"WWSF cannot start. {error.Message} Choose another port with ASPNETCORE_URLS.");
    return 1;
}
