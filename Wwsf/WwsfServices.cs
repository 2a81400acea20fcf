using WebRtcIms.Wwsf.External;
using WebRtcIms.Wwsf.Http;
using WebRtcIms.Wwsf.Ims;
using WebRtcIms.Wwsf.Passkeys;
using WebRtcIms.Wwsf.Sessions;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Stage;
using WebRtcIms.Wwsf.Telemetry;
using WebRtcIms.Wwsf.Tokens;
using WebRtcIms.Wwsf.Users;
using WebRtcIms.Wwsf.Waf;

namespace WebRtcIms.Wwsf;

/// <summary>Composes the web service of figure X.5.3.2-1: sessions for the page, and tokens from the WAF for these sessions.</summary>
internal static class WwsfServices
{
    public static void AddWwsf(this WebApplicationBuilder builder)
    {
        var settings = WwsfSettings.Read(builder.Configuration, builder.Environment);
        builder.Services.AddSingleton(settings);
        builder.AddWebApi(settings);
        builder.Services.AddSingleton<AuditLog>();
        builder.AddLimits(settings);
        builder.AddUsers(settings);
        builder.AddSessions(settings);
        builder.AddPasskeys();
        builder.AddExternalLogin(settings);
        builder.AddIms();
        builder.AddWafClient(settings);
        builder.AddStage(settings.Stage);
    }

    public static void UseWwsf(this WebApplication app)
    {
        app.UseWebApi();
        app.UseSessionCheck();
        // The authentication middleware handles returns from the external provider, so the rate limiter must run before it.
        app.UseRateLimiter();
        app.UseAuthentication();
        var page = app.MapGroup("/api");
        if (app.Services.GetRequiredService<WwsfSettings>().PasswordLogin != PasswordLogin.Never)
        {
            page.MapLogin();
            page.MapPassword();
        }
        page.MapOtherSessions();
        page.MapStage(app.Services.GetRequiredService<WwsfSettings>().Stage);
        app.MapLiveSession();
        app.MapPasskeys();
        app.MapExternalLogin();
        // The demo line can only be a guest.
        foreach (var api in new[] { page, app.MapGroup(SessionCookie.FrameApi) })
        {
            api.MapSession();
            api.MapImsToken();
            api.MapTurnToken();
        }
        app.LogWafKey();
    }
}
