using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.RateLimiting;
using WebRtcIms.Wwsf.Problems;
using WebRtcIms.Wwsf.Sessions;
using WebRtcIms.Wwsf.Settings;
using WebRtcIms.Wwsf.Stores;
using WebRtcIms.Wwsf.Telemetry;

namespace WebRtcIms.Wwsf.External;

/// <summary>Response of <c>POST /api/session/external</c>: the address at which the browser logs in.</summary>
internal sealed record ExternalLoginAnswer(string Location)
{
    /// <summary>The address contains the state of this login.</summary>
    public override string ToString() => nameof(ExternalLoginAnswer);
}

/// <summary>
/// Scenario 2 with the accounts of another service: login at the OpenID Connect provider of <c>Wwsf:OpenIdConnect</c>, with the
/// authorization code flow and PKCE. The provider sends the browser to <c>/api/session/external/callback</c>, and the WWSF sends
/// it to the page: with a session, or with <c>/?problem=</c> and a code.
/// </summary>
internal static class ExternalLogin
{
    private const string Scheme = "external";
    private const string Path = "/api/session/external";
    private const string ReturnPath = Path + "/callback";
    private const string Replaces = "replaces";
    private const string Attempt = "attempt";

    // The first login needs two requests (metadata and keys), and the page waits for 15 s.
    private static readonly TimeSpan ProviderLimit = TimeSpan.FromSeconds(5);

    // The state of an attempt does not expire by itself; its nonce does.
    private static readonly TimeSpan NonceLifetime = TimeSpan.FromMinutes(15);

    public static void AddExternalLogin(this IHostApplicationBuilder builder, WwsfSettings settings)
    {
        if (settings.OpenIdConnect is not { } provider) return;
        builder.Services.AddScoped<ExternalUsers>();
        builder.Services.AddAuthentication().AddOpenIdConnect(Scheme, options => Configure(options, provider, settings.Origins));
    }

    public static void MapExternalLogin(this WebApplication app)
    {
        var services = app.Services;
        var settings = services.GetRequiredService<WwsfSettings>();
        if (settings.OpenIdConnect is null) return;
        app.MapPost(Path, StartAsync).RequireAntiforgeryToken().RequireRateLimiting(Limits.Logins);
        // The authentication middleware handles this path for every method. The endpoint exists only for its rate limit.
        app.Map(ReturnPath, () => TypedResults.NotFound())
            .RequireRateLimiting(new ReturnLimit(settings, services.GetRequiredService<WwsfTelemetry>()));
    }

    private static void Configure(OpenIdConnectOptions options, OpenIdConnectSettings provider, PublicOrigins origins)
    {
        options.Authority = provider.Authority;
        options.RequireHttpsMetadata = !new Uri(provider.Authority).IsLoopback;
        options.ClientId = provider.ClientId;
        options.ClientSecret = provider.ClientSecret.Reveal();
        options.SignInScheme = SessionCookie.Scheme;
        options.CallbackPath = ReturnPath;
        options.ResponseType = "code";
        // A form post from another site would not carry the cookies that identify the browser.
        options.ResponseMode = "query";
        options.MapInboundClaims = false;
        options.GetClaimsFromUserInfoEndpoint = true;
        foreach (var claim in provider.Claims) options.ClaimActions.MapUniqueJsonKey(claim, claim);
        options.Scope.Clear();
        foreach (var scope in provider.AllScopes) options.Scope.Add(scope);
        options.BackchannelTimeout = ProviderLimit;
        options.RemoteAuthenticationTimeout = NonceLifetime;
        options.ProtocolValidator.NonceLifetime = NonceLifetime;
        foreach (var cookie in new[] { options.CorrelationCookie, options.NonceCookie })
        {
            // The browser returns from the site of the provider, so these cookies cannot be Strict.
            cookie.SameSite = SameSiteMode.Lax;
            cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
            cookie.Path = Path;
        }
        options.Events.OnRedirectToIdentityProvider = leaving =>
        {
            leaving.ProtocolMessage.RedirectUri = origins.Of(leaving.Request) + ReturnPath;
            return Task.CompletedTask;
        };
        options.Events.OnTicketReceived = LogInAsync;
        options.Events.OnAccessDenied = denied => End(denied, ProblemCodes.ExternalDenied);
        options.Events.OnRemoteFailure = failed =>
        {
            // Without a login that this browser started, an attacker could fill the log.
            if (failed.Properties is not null) Logger(failed.HttpContext).Failed(failed.Failure?.Message.ReplaceLineEndings(" "));
            return End(failed, IsUnreachable(failed.Failure) ? ProblemCodes.ExternalUnavailable : ProblemCodes.ExternalFailed);
        };
    }

    private static async Task<IResult> StartAsync(HttpContext context, WwsfTelemetry telemetry)
    {
        try
        {
            var properties = new AuthenticationProperties();
            properties.Items[Replaces] = WebSession.From(context.User)?.Sid;
            properties.Items[Attempt] = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
            await context.ChallengeAsync(Scheme, properties);
        }
        catch (Exception error) when (IsUnreachable(error) || error is InvalidOperationException)
        {
            Logger(context).Unavailable(error.GetBaseException().Message);
            telemetry.CountSession(Scheme, ProblemCodes.ExternalUnavailable);
            return Problem.ExternalUnavailable;
        }

        // The page navigates to it. A redirect would only redirect the request of the page, not the browser.
        var location = context.Response.Headers.Location.ToString();
        context.Response.Headers.Location = default;
        return TypedResults.Ok(new ExternalLoginAnswer(location));
    }

    private static async Task LogInAsync(TicketReceivedContext ticket)
    {
        var context = ticket.HttpContext;
        if (!await TryUseAsync(ticket))
        {
            await End(ticket, ProblemCodes.ExternalFailed);
            return;
        }

        var (user, problem) = await context.RequestServices.GetRequiredService<ExternalUsers>().FindOrAddAsync(ticket.Principal!);
        if (user is not null)
        {
            // The browser comes from another site and does not send its session cookie, so the session id is in the state.
            if (ticket.Properties?.Items[Replaces] is { } sid)
                await context.RequestServices.GetRequiredService<SessionEnd>()
                    .EndAsync(new WebSession(sid, User: null), EndReason.Replaced);
            await context.BeginSessionAsync(user, Scheme);
        }
        await End(ticket, problem);
    }

    // The browser deletes the cookies of an attempt, and most providers accept a code once. A copy of the request must not depend on that.
    private static async Task<bool> TryUseAsync(TicketReceivedContext ticket) =>
        ticket.Properties?.Items[Attempt] is { } attempt
        && await ticket.HttpContext.RequestServices.GetRequiredService<SingleUse>().TryUseAsync(attempt, NonceLifetime);

    private static Task End<TOptions>(HandleRequestContext<TOptions> context, string? problem)
        where TOptions : AuthenticationSchemeOptions
    {
        context.HandleResponse();
        SendToPage(context.Response, context.HttpContext.RequestServices.GetRequiredService<WwsfTelemetry>(), problem);
        return Task.CompletedTask;
    }

    private static void SendToPage(HttpResponse response, WwsfTelemetry telemetry, string? problem)
    {
        telemetry.CountSession(Scheme, problem ?? "ok");
        if (problem is not null)
        {
            response.HttpContext.RequestServices.GetRequiredService<AuditLog>()
                .Refused(userId: null, Scheme, problem, CallerAddress.Of(response.HttpContext));
        }
        response.Redirect(problem is null ? "/" : "/?problem=" + problem);
    }

    private static bool IsUnreachable(Exception? error) => error is HttpRequestException or IOException or OperationCanceledException;

    private static ILogger Logger(HttpContext context) =>
        context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(ExternalLogin));

    /// <summary>Returns from the provider have the same rate limit as logins. A rejected browser goes to the page with the code.</summary>
    private sealed class ReturnLimit(WwsfSettings settings, WwsfTelemetry telemetry) : IRateLimiterPolicy<string>
    {
        public Func<OnRejectedContext, CancellationToken, ValueTask> OnRejected { get; } = (rejected, _) =>
        {
            SendToPage(rejected.HttpContext.Response, telemetry, ProblemCodes.RateLimited);
            return ValueTask.CompletedTask;
        };

        public RateLimitPartition<string> GetPartition(HttpContext context) =>
            Limits.PerMinute(CallerAddress.Of(context), settings.Limits.LoginsPerMinute);
    }
}

internal static partial class ExternalLoginLog
{
    [LoggerMessage(1, LogLevel.Warning, "The OpenID Connect provider (Wwsf:OpenIdConnect:Authority) cannot be used: {Reason}")]
    public static partial void Unavailable(this ILogger logger, string reason);

    [LoggerMessage(2, LogLevel.Warning, "A login at the OpenID Connect provider failed: {Reason}")]
    public static partial void Failed(this ILogger logger, string? reason);
}
