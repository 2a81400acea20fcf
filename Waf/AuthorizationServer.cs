using System.Globalization;
using System.Security.Cryptography;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.EntityFrameworkCore;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Server;
using StackExchange.Redis;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Stores;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.ImsRegistration;
using WebRtcIms.Waf.Keys;
using WebRtcIms.Waf.Tokens;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;

namespace WebRtcIms.Waf;

/// <summary>The settings cannot be used; the message lists every mistake with its key.</summary>
internal sealed class SettingsException(string message) : Exception(message);

/// <summary>Puts the authorization server together: OpenIddict, its store, our token, rate limits.</summary>
internal static class AuthorizationServer
{
    /// <exception cref="SettingsException">The settings have mistakes.</exception>
    public static WafSettings ReadWafSettings(this IConfiguration configuration, IHostEnvironment environment)
    {
        var settings = configuration.GetSection("Waf").Get<WafSettings>() ?? new WafSettings();
        settings.Store = StoreSettings.Read("waf", configuration.GetConnectionString("waf"), environment.ContentRootPath);
        var problems = settings.Validate().Concat(RedisProblems(configuration)).ToList();
        if (problems.Count > 0) throw new SettingsException("The settings cannot be used:\n  " + string.Join("\n  ", problems));
        return settings;
    }

    public static void AddAuthorizationServer(this WebApplicationBuilder builder, WafSettings settings)
    {
        var services = builder.Services;
        services.AddSingleton(settings);
        services.AddSingleton<TokenIssuer>();
        services.AddSingleton<FailedAuthentications>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<UsedAssertions>(
            provider, provider.GetService<IConnectionMultiplexer>() is { } redis ? [redis] : []));
        services.AddSingleton<WafTelemetry>();
        services.AddSingleton<IHttpContextFactory, HiddenQuery.ContextFactory>();
        services.ConfigureOptions<LogFloor>();
        builder.TryAddRedisClient();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<GrantStore>(
            provider, provider.GetService<IConnectionMultiplexer>() is { } redis ? [redis] : []));

        if (settings.ImsRegistration is { } registration)
            services.AddSingleton(_ => new RegistrationTokenKey(registration.Kid, Convert.FromBase64String(registration.Key)));

        settings.Store!.CreateDirectory();
        builder.AddStore<ClientStore>(settings.Store, options => options.UseOpenIddict());
        services.AddHostedService<ClientProvisioning>();
        services.AddOpenIddict()
            .AddCore(core => core.UseEntityFrameworkCore().UseDbContext<ClientStore>())
            .AddServer(server => Configure(server, settings));
        services.AddRateLimiter(options => LimitTokenRequests(options, settings.RequestsPerMinute));

        // Whose certificate it is, its thumbprint says: TURN servers need none of an authority.
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ConfigureHttpsDefaults(https =>
        {
            if (!settings.TurnServers.Exists(server => server.Thumbprint is not null)) return;
            https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            https.AllowAnyClientCertificate();
        }));
    }

    private static void Configure(OpenIddictServerBuilder server, WafSettings settings)
    {
        server.SetTokenEndpointUris("oauth2/token")
            .SetConfigurationEndpointUris(".well-known/oauth-authorization-server")
            .AllowClientCredentialsFlow()
            .RegisterScopes(TokenHandlers.Scope)
            .DisableTokenStorage()
            // Our tokens are under the TURN servers' keys; OpenIddict wants keys of its own, which sign nothing here.
            .AddEncryptionKey(new SymmetricSecurityKey(RandomNumberGenerator.GetBytes(32)))
            .AddEphemeralSigningKey(SecurityAlgorithms.EcdsaSha256);

        if (settings.Issuer is { } issuer) server.SetIssuer(new Uri(issuer));
        if (settings.Clients.Exists(client => client.Jwks is not null)) server.AddClientAssertions();
        else server.Configure(options => options.ClientAuthenticationMethods.Remove(ClientAuthenticationMethods.PrivateKeyJwt));

        // Inside a deployment TLS ends before this process; RFC 7635 §11 asks for it on the way there.
        server.UseAspNetCore().DisableTransportSecurityRequirement();
        server.AddClientAuthentication();
        server.AddTokenHandlers(settings);
        if (settings.ImsRegistration is not null) server.AddRegistrationHandlers();
        server.AddEventHandler<ApplyTokenResponseContext>(handler => handler.UseScopedHandler<CountRejections>().SetOrder(int.MinValue));
        server.AddEventHandler<HandleConfigurationRequestContext>(handler => handler.UseInlineHandler(Metadata.Describe).SetOrder(int.MaxValue));
    }

    private static IEnumerable<string> RedisProblems(IConfiguration configuration)
    {
        if (configuration.GetConnectionString("redis") is not { } text || string.IsNullOrWhiteSpace(text)) return [];
        try
        {
            ConfigurationOptions.Parse(text);
            return [];
        }
        catch (ArgumentException)
        {
            return ["ConnectionStrings:redis must be a Redis address such as 127.0.0.1:6379"];
        }
    }

    /// <summary>Bounds what one address can ask: guessing secrets, or wearing the server out.</summary>
    private static void LimitTokenRequests(Microsoft.AspNetCore.RateLimiting.RateLimiterOptions options, int requestsPerMinute)
    {
        options.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
        options.OnRejected = (rejected, _) =>
        {
            var wait = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : TimeSpan.FromSeconds(10);
            rejected.HttpContext.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
            return ValueTask.CompletedTask;
        };
        options.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(context =>
            context.Request.Path.StartsWithSegments("/oauth2") || context.Request.Path == KeyEndpoint.Path
                ? RateLimitPartition.GetSlidingWindowLimiter(CallerAddress.Of(context), _ => new()
                {
                    PermitLimit = requestsPerMinute,
                    Window = TimeSpan.FromMinutes(1),
                    SegmentsPerWindow = 6,
                })
                : RateLimitPartition.GetNoLimiter(""));
    }

    private sealed class CountRejections(WafTelemetry telemetry) : IOpenIddictServerHandler<ApplyTokenResponseContext>
    {
        public ValueTask HandleAsync(ApplyTokenResponseContext context)
        {
            if (context.Error is { } error) telemetry.Rejected(error);
            return ValueTask.CompletedTask;
        }
    }
}
