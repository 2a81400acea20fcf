using Microsoft.AspNetCore.Connections;
using WebRtcIms.Wwsf;
using WebRtcIms.Wwsf.External;
using WebRtcIms.Wwsf.Ims;
using WebRtcIms.Wwsf.Passkeys;
using WebRtcIms.Wwsf.Session;
using WebRtcIms.Wwsf.TurnToken;
using WebRtcIms.Wwsf.Users;
using WebRtcIms.Wwsf.Waf;

// The web service of figure X.5.3.2-1: sessions for the page, and for those who have one tokens from the WAF.
try
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    var settings = WwsfSettings.Read(builder.Configuration, builder.Environment);
    builder.AddWebApi(settings);
    builder.AddLimits(settings);
    builder.AddUsers(settings);
    builder.AddSessions(settings);
    builder.AddPasskeys();
    builder.AddExternalLogin(settings);
    builder.AddIms();
    builder.AddWafClient();

    var app = builder.Build();
    app.UseWebApi();
    app.UseSessionCheck();
    // Authentication answers who comes back from an external provider, so the limits have to come before.
    app.UseRateLimiter();
    app.UseAuthentication();
    app.MapDefaultEndpoints();
    var page = app.MapGroup("/api");
    page.MapLogin();
    app.MapPasskeys();
    app.MapExternalLogin();
    // The demo line can be nothing but a guest.
    foreach (var api in new[] { page, app.MapGroup(SessionCookie.FrameApi) })
    {
        api.MapSession();
        api.MapImsToken();
        api.MapTurnToken();
    }
    app.TellWafKey(settings);
    await app.RunAsync();
    return 0;
}
catch (Exception error) when (error is SettingsException or WebRtcIms.ServiceDefaults.SettingsException)
{
    await Console.Error.WriteLineAsync($"WWSF cannot start. {error.Message}");
    return 1;
}
catch (IOException error) when (error.InnerException is AddressInUseException)
{
    await Console.Error.WriteLineAsync($"WWSF cannot start. {error.Message} Choose another port with ASPNETCORE_URLS.");
    return 1;
}
