using Microsoft.AspNetCore.Connections;
using WebRtcIms.Stores;
using WebRtcIms.Waf;
using WebRtcIms.Waf.Keys;
using WebRtcIms.Waf.Revocation;

// The authorization server of figure X.5.3.2-1: authenticates the WWSF and makes TURN tokens.
try
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    builder.AddAuthorizationServer(builder.Configuration.ReadWafSettings(builder.Environment));

    var app = builder.Build();
    app.UseRateLimiter();
    app.UseAuthentication();
    app.MapRevocation();
    app.MapKeys();
    app.MapDefaultEndpoints();
    await app.RunAsync();
    return 0;
}
catch (Exception error) when (error is SettingsException or StoreException)
{
    await Console.Error.WriteLineAsync($"WAF cannot start. {error.Message}");
    return 1;
}
catch (IOException error) when (error.InnerException is AddressInUseException)
{
    await Console.Error.WriteLineAsync($"WAF cannot start. {error.Message} Choose another port with ASPNETCORE_URLS.");
    return 1;
}
