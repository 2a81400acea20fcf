using System.Security.Claims;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.DataProtection;
using WebRtcIms.WicWeb.Settings;

namespace WebRtcIms.WicWeb.Forwarding;

/// <summary>
/// Before FlowView: log-in at the OpenID Connect provider of <c>WicWeb:FlowProvider</c>, with the authorization code flow and PKCE. A user
/// with the required claim gets a cookie for an hour, which says nothing about the user.
/// </summary>
internal static class FlowSignIn
{
    private const string Scheme = "flow-view";
    private const string Provider = "flow-view provider";
    private const string Path = "/flow";
    private const string ReturnPath = Path + "/signed-in";

    // Each return of an attempt is a request to the provider, with our credentials. A stranger can begin an attempt.
    private const int ReturnsPerMinute = 30;

    // A user who loses the claim keeps FlowView for this time. Most providers need no new log-in after it.
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);
    private static readonly TimeSpan AttemptLifetime = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan ProviderLimit = TimeSpan.FromSeconds(5);

    public static void AddTo(WebApplicationBuilder builder, WicWebSettings settings)
    {
        if (settings.Flow != FlowReaders.OpenIdConnect) return;
        ProtectCookies(builder.Services, settings.KeyDirectory);
        var isDevelopment = builder.Environment.IsDevelopment();
        builder.Services.AddAuthentication()
            .AddCookie(Scheme, options =>
            {
                options.ExpireTimeSpan = Lifetime;
                options.SlidingExpiration = false;
                options.Cookie.Name = Scheme;
                Protect(options.Cookie, isDevelopment);
            })
            .AddOpenIdConnect(Provider, options => Configure(options, settings.FlowProvider, isDevelopment));
    }

    /// <summary>Handles the return from the provider.</summary>
    public static void UseIn(WebApplication app, WicWebSettings settings)
    {
        if (settings.Flow != FlowReaders.OpenIdConnect) return;
        var returns = PartitionedRateLimiter.Create<HttpContext, string>(context => RateLimitPartition.GetFixedWindowLimiter(
            CallerAddress.Of(context), _ => new() { PermitLimit = ReturnsPerMinute, Window = TimeSpan.FromMinutes(1) }));
        app.Lifetime.ApplicationStopped.Register(returns.Dispose);
        app.Use((context, next) => context.Request.Path != ReturnPath || returns.AttemptAcquire(context).IsAcquired
            ? next(context)
            : WriteAsync(context, StatusCodes.Status429TooManyRequests, "Too many log-ins. Try again in a minute."));
        app.UseAuthentication();
    }

    public static async Task CheckAsync(HttpContext context, RequestDelegate next)
    {
        var path = context.Request.Path.Value?.TrimEnd('/');
        if ((await context.AuthenticateAsync(Scheme)).Succeeded) await next(context);
        // The page goes to the provider. Its requests and files cannot.
        else if (string.Equals(path, Path, StringComparison.OrdinalIgnoreCase)) await LogInAsync(context);
        else await WriteAsync(context, StatusCodes.Status401Unauthorized, "Open /flow/ to log in.");
    }

    private static void ProtectCookies(IServiceCollection services, string? keyDirectory)
    {
        var protection = services.AddDataProtection().SetApplicationName("WebRtcIms.WicWeb");
        if (keyDirectory is null) protection.UseEphemeralDataProtectionProvider();
        else protection.PersistKeysToFileSystem(PrivateFiles.CreateKeyDirectory(WicWebSettings.KeyDirectorySetting, keyDirectory));
    }

    private static async Task LogInAsync(HttpContext context)
    {
        try
        {
            await context.ChallengeAsync(Provider, new AuthenticationProperties { RedirectUri = Path + "/" });
        }
        catch (Exception error) when (error is HttpRequestException or IOException or OperationCanceledException
            or InvalidOperationException)
        {
            Logger(context).Unavailable(error.GetBaseException().GetType().Name);
            await WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "The login service cannot be reached. Try again soon.");
        }
    }

    private static void Configure(OpenIdConnectOptions options, FlowProviderSettings provider, bool isDevelopment)
    {
        options.Authority = provider.Authority;
        options.RequireHttpsMetadata = !new Uri(provider.Authority).IsLoopback;
        options.ClientId = provider.ClientId;
        options.ClientSecret = provider.ClientSecret.Reveal();
        options.SignInScheme = Scheme;
        options.CallbackPath = ReturnPath;
        options.ResponseType = "code";
        options.ResponseMode = "query";
        options.MapInboundClaims = false;
        options.GetClaimsFromUserInfoEndpoint = true;
        options.ClaimActions.MapJsonKey(provider.Claim, provider.Claim);
        options.Scope.Clear();
        foreach (var scope in provider.Scopes.Prepend("openid").Distinct()) options.Scope.Add(scope);
        options.BackchannelTimeout = ProviderLimit;
        options.RemoteAuthenticationTimeout = AttemptLifetime;
        options.ProtocolValidator.NonceLifetime = AttemptLifetime;
        options.CorrelationCookie.Name = "flow-view-attempt.";
        options.NonceCookie.Name = "flow-view-nonce.";
        Protect(options.CorrelationCookie, isDevelopment);
        Protect(options.NonceCookie, isDevelopment);
        options.Events.OnTicketReceived = ticket =>
        {
            if (ticket.Principal!.HasClaim(provider.Claim, provider.Value))
            {
                // The cookie is only a proof that its holder may read.
                ticket.Principal = new ClaimsPrincipal(new ClaimsIdentity(Scheme));
                return Task.CompletedTask;
            }

            Logger(ticket.HttpContext).Forbidden(provider.Claim);
            return EndAsync(ticket, "Your account may not read FlowView. Ask the operator.");
        };
        options.Events.OnAccessDenied = denied => EndAsync(denied, "The login service denied the log-in. Open /flow/ to try again.");
        options.Events.OnRemoteFailure = failed =>
        {
            // Without a login that this browser started, an attacker could fill the log.
            if (failed.Properties is not null) Logger(failed.HttpContext).Failed(failed.Failure?.GetType().Name);
            return EndAsync(failed, "The log-in did not succeed. Open /flow/ to try again.");
        };
    }

    private static void Protect(CookieBuilder cookie, bool isDevelopment)
    {
        // Cookies with the prefix exist only over https, and a page of a sibling domain cannot plant one over http.
        if (!isDevelopment) cookie.Name = "__Secure-" + cookie.Name;
        cookie.Path = Path;
        cookie.HttpOnly = true;
        cookie.SecurePolicy = isDevelopment ? CookieSecurePolicy.SameAsRequest : CookieSecurePolicy.Always;
        // The browser returns from the site of the provider. FlowView changes nothing by GET.
        cookie.SameSite = SameSiteMode.Lax;
    }

    private static Task EndAsync<TOptions>(HandleRequestContext<TOptions> context, string sentence)
        where TOptions : AuthenticationSchemeOptions
    {
        context.HandleResponse();
        return WriteAsync(context.HttpContext, StatusCodes.Status403Forbidden, sentence);
    }

    private static Task WriteAsync(HttpContext context, int status, string sentence) =>
        Results.Problem(sentence, statusCode: status).ExecuteAsync(context);

    private static ILogger Logger(HttpContext context) =>
        context.RequestServices.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(FlowSignIn));
}

internal static partial class FlowSignInLog
{
    [LoggerMessage(1, LogLevel.Warning, "The OpenID Connect provider (WicWeb:FlowProvider:Authority) cannot be used: {Reason}")]
    public static partial void Unavailable(this ILogger logger, string reason);

    [LoggerMessage(2, LogLevel.Warning, "A log-in for FlowView failed: {Reason}")]
    public static partial void Failed(this ILogger logger, string? reason);

    [LoggerMessage(3, LogLevel.Warning, "A user of the provider does not have the value of the claim {Claim} that FlowView needs")]
    public static partial void Forbidden(this ILogger logger, string claim);
}
