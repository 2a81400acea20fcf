using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.DataProtection;
using WebRtcIms.Wwsf.Http;
using WebRtcIms.Wwsf.Ims;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Stores;
using WebRtcIms.Wwsf.Telemetry;
using WebRtcIms.Wwsf.Users;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>
/// The session is in an encrypted cookie that scripts cannot read and other sites cannot send. It ends at a fixed time, or later
/// while it is registered. A session that ended earlier stays ended, even if the cookie is presented again. A user who was deleted,
/// locked or changed has no valid session.
/// <para>
/// The demo line is a page in a frame with a session of its own, but the browser has one cookie jar for both pages. So each frame
/// has an API under its own path, <see cref="FrameApi"/>, and the browser sends the cookie of its session only there.
/// </para>
/// </summary>
internal static class SessionCookie
{
    public const string Scheme = "session";
    public const string FrameApi = $"/api/demo/{{{Frame}:guid}}";

    private const string Name = "wwsf-session";
    private const string FrameName = CookiePrefixes.OfFrame;
    private const string FrameScheme = "frame session";
    private const string Frame = "frame";

    public static void AddSessions(this IHostApplicationBuilder builder, WwsfSettings settings)
    {
        var services = builder.Services;
        services.AddSingleton<SessionRevocations>();
        services.AddScoped<SessionRecords>();
        services.AddScoped<SessionIdentities>();
        services.AddScoped<SessionEnd>();
        services.AddScoped<GuestIdentities>();
        services.AddHostedService<SessionSweep>();
        services.AddHostedService<GuestSweep>();
        services.AddDataProtection()
            .SetApplicationName("WebRtcIms.Wwsf")
            .PersistKeysToFileSystem(settings.Store.CreateKeyDirectory(WwsfSettings.KeyDirectorySetting, settings.KeyDirectory));
        services.AddAuthentication(Scheme)
            .AddCookie(Scheme, options =>
            {
                Configure(options, settings);
                options.ForwardDefaultSelector = context => FrameOf(context).Length == 0 ? null : FrameScheme;
            })
            .AddCookie(FrameScheme, options =>
            {
                Configure(options, settings);
                options.Cookie = StrictCookie(new CookieOfFrame(), FrameName);
            });
        services.AddAntiforgery(options =>
        {
            options.Cookie = StrictCookie(new(), "wwsf-antiforgery");
            options.HeaderName = "X-XSRF-TOKEN";
            options.SuppressReadingTokenFromFormBody = true;
            // The gateway decides which pages may be framed.
            options.SuppressXFrameOptionsHeader = true;
        });
    }

    /// <summary>Whether the browser sent a session cookie, valid or not.</summary>
    public static bool HasSessionCookie(this HttpContext context) =>
        context.Request.Cookies.ContainsKey(FrameOf(context).Length == 0 ? Name : FrameName);

    /// <summary>Begins a session of a user that replaces the current one, and makes it the session of this request.</summary>
    /// <param name="context">The request.</param>
    /// <param name="user">The user.</param>
    /// <param name="way">The way to log in.</param>
    /// <param name="needsPasskey">See <see cref="WebSession"/>.</param>
    public static async Task BeginSessionAsync(this HttpContext context, User user, string way, bool needsPasskey = false)
    {
        var services = context.RequestServices;
        await context.EndCurrentAsync(EndReason.Replaced);
        var session = WebSession.Create(user.UserName) with { NeedsPasskey = needsPasskey };
        await services.GetRequiredService<SessionRecords>().AddAsync(session, user);
        services.GetRequiredService<KnownBrowsers>().Remember(context, user);
        services.GetRequiredService<AuditLog>().LoggedIn(user.Id, session.Sid, way, CallerAddress.Of(context));
        await context.BeginAsync(session);
    }

    /// <summary>Begins a guest's session that replaces the current one, and makes it the session of this request.</summary>
    public static async Task BeginGuestSessionAsync(this HttpContext context)
    {
        await context.EndCurrentAsync(EndReason.Replaced);
        var session = WebSession.Create(user: null);
        context.RequestServices.GetRequiredService<AuditLog>().GuestBegan(session.Sid, CallerAddress.Of(context));
        await context.BeginAsync(session);
    }

    /// <summary>Ends the session of this request, if there is one, and deletes the cookie.</summary>
    public static async Task EndSessionAsync(this HttpContext context)
    {
        await context.EndCurrentAsync(EndReason.SignedOut);
        context.User = new();
        await context.SignOutAsync(Scheme);
    }

    private static async Task BeginAsync(this HttpContext context, WebSession session)
    {
        context.User = session.ToPrincipal();
        await context.SignInAsync(Scheme, context.User);
    }

    private static async Task EndCurrentAsync(this HttpContext context, string reason)
    {
        var current = await context.AuthenticateAsync(Scheme);
        if (!current.Succeeded || WebSession.From(current.Principal) is not { } session) return;
        await context.RequestServices.GetRequiredService<SessionEnd>()
            .EndAsync(session, reason, current.Properties.ExpiresUtc);
    }

    private static async Task ValidateAsync(CookieValidatePrincipalContext context)
    {
        // A page of a sibling domain can plant the cookie of another frame, which does not have the prefix __Host-.
        context.Properties.Items.TryGetValue(Frame, out var frame);
        var isOfThisFrame = (frame ?? "") == FrameOf(context.HttpContext);
        var session = context.Principal is { } principal && isOfThisFrame ? WebSession.From(principal) : null;
        if (session is null || !await IsAliveAsync(session, context)) context.RejectPrincipal();
    }

    private static async Task<bool> IsAliveAsync(WebSession session, CookieValidatePrincipalContext context)
    {
        var services = context.HttpContext.RequestServices;
        var records = services.GetRequiredService<SessionRecords>();
        if (await records.FindUseAsync(session) is not { } lastUse) return false;

        var settings = services.GetRequiredService<WwsfSettings>();
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        if (now >= context.Properties.IssuedUtc + settings.SessionLifetime || now >= lastUse + settings.SessionIdleTimeout)
        {
            // NOTE 1 of step 3: the user is not authenticated again while the IMS registration is active.
            var registrations = services.GetRequiredService<Registrations>();
            if (!await registrations.IsActiveAsync(session.Sid, context.HttpContext.RequestAborted)) return false;
            Activity.Current?.SetTag("wwsf.authentication.skipped", true);
        }

        await records.SetUsedAsync(session, lastUse);
        return true;
    }

    private static void Configure(CookieAuthenticationOptions options, WwsfSettings settings)
    {
        options.Cookie = StrictCookie(new(), Name);
        options.ExpireTimeSpan = settings.MaxSessionLifetime;
        options.SlidingExpiration = false;
        options.Events.OnSigningIn = begun =>
        {
            begun.Properties.Items[Frame] = FrameOf(begun.HttpContext);
            return Task.CompletedTask;
        };
        options.Events.OnValidatePrincipal = ValidateAsync;
    }

    private static CookieBuilder StrictCookie(CookieBuilder cookie, string name)
    {
        cookie.Name = name;
        cookie.Path = "/";
        cookie.HttpOnly = true;
        cookie.SameSite = SameSiteMode.Strict;
        cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
        cookie.IsEssential = true;
        return cookie;
    }

    // Empty for the page itself. A UUID can be written in several ways; the path of the cookie is as the page wrote it.
    private static string FrameOf(HttpContext context) => context.GetRouteValue(Frame) as string ?? "";

    private sealed class CookieOfFrame : CookieBuilder
    {
        public override CookieOptions Build(HttpContext context, DateTimeOffset expiresFrom)
        {
            var options = base.Build(context, expiresFrom);
            options.Path = $"/api/demo/{FrameOf(context)}";
            return options;
        }
    }
}
