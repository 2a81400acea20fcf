using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.RateLimiting;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Wwsf.Session;

namespace WebRtcIms.Wwsf.External;

/// <summary>Answer of <c>POST /api/session/external</c>: where the browser goes to log in.</summary>
internal sealed record ExternalLoginAnswer(string Location)
{
    /// <summary>It has the state of this log-in.</summary>
    public override string ToString() => nameof(ExternalLoginAnswer);
}

/// <summary>
/// Scenario 2 with somebody else's accounts: log-in at an OpenID Connect provider (authorization code flow with PKCE), where
/// <c>Wwsf:OpenIdConnect</c> names one. From there the browser comes back to <c>/api/session/external/callback</c>, and goes on
/// to the page with a session, or with <c>/?problem=</c> and a code.
/// </summary>
internal static class ExternalLogin
{
    private const string Scheme = "external";
    private const string Path = "/api/session/external";
    private const string ReturnPath = Path + "/callback";
    private const string Replaces = "replaces";

    // Two requests, for its addresses and for its keys, come before the first log-in; the page waits for 15 s.
    private static readonly TimeSpan ProviderLimit = TimeSpan.FromSeconds(5);

    public static void AddExternalLogin(this IHostApplicationBuilder builder, WwsfSettings settings)
    {
        if (settings.OpenIdConnect is not { } provider) return;
        builder.Services.AddScoped<ExternalUsers>();
        builder.Services.AddAuthentication().AddOpenIdConnect(Scheme, options => Configure(options, provider));
    }

    public static void MapExternalLogin(this WebApplication app)
    {
        var services = app.Services;
        var settings = services.GetRequiredService<WwsfSettings>();
        if (settings.OpenIdConnect is null) return;
        app.MapPost(Path, AskProviderAsync).RequireAntiforgeryToken().RequireRateLimiting(Limits.Logins);
        // The authentication middleware answers there, whatever the method; what is mapped is the limit.
        app.Map(ReturnPath, () => TypedResults.NotFound()).RequireRateLimiting(new ReturnLimit(settings, services.GetRequiredService<WwsfMetrics>()));
    }

    private static void Configure(OpenIdConnectOptions options, OpenIdConnectSettings provider)
    {
        options.Authority = provider.Authority;
        options.RequireHttpsMetadata = !new Uri(provider.Authority).IsLoopback;
        options.ClientId = provider.ClientId;
        options.ClientSecret = provider.ClientSecret.Reveal();
        options.SignInScheme = SessionCookie.Scheme;
        options.CallbackPath = ReturnPath;
        options.ResponseType = "code";
        // A form that another site posts would come without the cookies that prove who asked.
        options.ResponseMode = "query";
        options.MapInboundClaims = false;
        options.GetClaimsFromUserInfoEndpoint = true;
        foreach (var claim in provider.Claims) options.ClaimActions.MapUniqueJsonKey(claim, claim);
        options.Scope.Clear();
        foreach (var scope in provider.Scopes.Prepend("openid").Distinct()) options.Scope.Add(scope);
        options.BackchannelTimeout = ProviderLimit;
        foreach (var cookie in new[] { options.CorrelationCookie, options.NonceCookie })
        {
            // The provider's site sends the browser back, so they cannot be Strict.
            cookie.SameSite = SameSiteMode.Lax;
            cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
            cookie.Path = Path;
        }
        options.Events.OnTicketReceived = LogInAsync;
        options.Events.OnAccessDenied = denied => End(denied, "external_denied");
        options.Events.OnRemoteFailure = failed =>
        {
            // Where nobody began a log-in, there is nothing to tell an operator, and anybody could fill the log.
            if (failed.Properties is not null) Logger(failed.HttpContext).Failed(failed.Failure?.Message.ReplaceLineEndings(" "));
            return End(failed, IsSilence(failed.Failure) ? Problem.ExternalUnavailable.Code : "external_failed");
        };
    }

    private static async Task<IResult> AskProviderAsync(HttpContext context, WwsfMetrics metrics)
    {
        try
        {
            var properties = new AuthenticationProperties();
            properties.Items[Replaces] = WebSession.From(context.User)?.Sid;
            await context.ChallengeAsync(Scheme, properties);
        }
        catch (Exception error) when (IsSilence(error) || error is InvalidOperationException)
        {
            Logger(context).Unavailable(error.GetBaseException().Message);
            metrics.CountSession(Scheme, Problem.ExternalUnavailable.Code);
            return Problem.ExternalUnavailable;
        }

        // The page goes there by itself: a redirect would take its request there, and not the browser.
        var location = context.Response.Headers.Location.ToString();
        context.Response.Headers.Location = default;
        return TypedResults.Ok(new ExternalLoginAnswer(location));
    }

    private static async Task LogInAsync(TicketReceivedContext ticket)
    {
        var context = ticket.HttpContext;
        var (user, problem) = await context.RequestServices.GetRequiredService<ExternalUsers>().FindOrAddAsync(ticket.Principal!);
        if (user is not null)
        {
            // Its cookie is not sent with what another site begins.
            if (ticket.Properties?.Items[Replaces] is { } sid) await context.RevokeSessionAsync(new WebSession(sid, User: null), expires: null);
            await context.BeginSessionAsync(user.UserName);
        }
        await End(ticket, problem);
    }

    private static Task End<TOptions>(HandleRequestContext<TOptions> context, string? problem)
        where TOptions : AuthenticationSchemeOptions
    {
        context.HandleResponse();
        SendToPage(context.Response, context.HttpContext.RequestServices.GetRequiredService<WwsfMetrics>(), problem);
        return Task.CompletedTask;
    }

    private static void SendToPage(HttpResponse response, WwsfMetrics metrics, string? problem)
    {
        metrics.CountSession(Scheme, problem ?? "ok");
        response.Redirect(problem is null ? "/" : "/?problem=" + problem);
    }

    private static bool IsSilence(Exception? error) => error is HttpRequestException or IOException or OperationCanceledException;

    private static ILogger Logger(HttpContext context) => context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(ExternalLogin));

    /// <summary>As many may come back from the provider as may go there; who comes too often is sent on to the page, like everybody else.</summary>
    private sealed class ReturnLimit(WwsfSettings settings, WwsfMetrics metrics) : IRateLimiterPolicy<string>
    {
        public Func<OnRejectedContext, CancellationToken, ValueTask> OnRejected { get; } = (rejected, _) =>
        {
            SendToPage(rejected.HttpContext.Response, metrics, "rate_limited");
            return ValueTask.CompletedTask;
        };

        public RateLimitPartition<string> GetPartition(HttpContext context) => Limits.PerMinute(CallerAddress.Of(context), settings.Limits.LoginsPerMinute);
    }
}

internal static partial class ExternalLoginLog
{
    [LoggerMessage(1, LogLevel.Warning, "The OpenID Connect provider (Wwsf:OpenIdConnect:Authority) cannot be used: {Reason}")]
    public static partial void Unavailable(this ILogger logger, string reason);

    [LoggerMessage(2, LogLevel.Warning, "A log-in at the OpenID Connect provider did not end well: {Reason}")]
    public static partial void Failed(this ILogger logger, string? reason);
}
