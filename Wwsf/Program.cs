using Microsoft.AspNetCore.Connections;
using WebRtcIms.Wwsf;
using WebRtcIms.Wwsf.Session;
using WebRtcIms.Wwsf.TurnToken;
using WebRtcIms.Wwsf.Users;

// The web service of figure X.5.3.2-1: sessions for the page, and TURN tokens from the WAF for those who have one.
try
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    var settings = WwsfSettings.Read(builder.Configuration, builder.Environment);
    builder.AddWebApi(settings);
    builder.AddLimits(settings);
    builder.AddUsers(settings);
    builder.AddSessions(settings);
    builder.AddTurnTokens();

    var app = builder.Build();
    app.UseWebApi();
    app.UseSessionCheck();
    app.UseAuthentication();
    app.UseRateLimiter();
    app.MapDefaultEndpoints();
    app.MapSession();
    app.MapTurnToken();
    await app.RunAsync();
    return 0;
}
catch (SettingsException error)
{
    await Console.Error.WriteLineAsync($"WWSF cannot start. {error.Message}");
    return 1;
}
catch (IOException error) when (error.InnerException is AddressInUseException)
{
    await Console.Error.WriteLineAsync($"WWSF cannot start. {error.Message} Choose another port with ASPNETCORE_URLS.");
    return 1;
}
