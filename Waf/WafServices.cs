using Microsoft.AspNetCore.Server.Kestrel.Https;
using OpenIddict.Core;
using OpenIddict.EntityFrameworkCore.Models;
using StackExchange.Redis;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Stores;
using WebRtcIms.Waf.Administration;
using WebRtcIms.Waf.ApiDocuments;
using WebRtcIms.Waf.Audit;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Clients.Registration;
using WebRtcIms.Waf.Introspection;
using WebRtcIms.Waf.Keys;
using WebRtcIms.Waf.OAuth;
using WebRtcIms.Waf.Provisioning;
using WebRtcIms.Waf.Rings;
using WebRtcIms.Waf.Stores;
using WebRtcIms.Waf.Telemetry;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf;

/// <summary>Composes the WAF.</summary>
internal static class WafServices
{
    private const string WellKnown = "/.well-known";

    /// <exception cref="SettingsException">The settings have problems.</exception>
    public static void AddWaf(this WebApplicationBuilder builder)
    {
        var settings = WafSettings.Read(builder.Configuration, builder.Environment);
        var hasRedis = builder.TryAddRedisClient();
        var services = builder.Services;
        if (hasRedis) services.AddSingleton<RevocationLookup>();
        services.AddSingleton<WafTelemetry>();
        services.AddSingleton<IHttpContextFactory, HiddenQuery.ContextFactory>();
        services.ConfigureOptions<LogFloor>();
        KnownProxies.AddTo(services, settings.KnownProxies, isHostBelieved: false);
        services.AddRateLimiter(options =>
            RateLimit.Apply(
                options, settings.TokenRequestsPerMinute, AuthorizationServer.Folder, WellKnown, ApiDocuments.ApiDocuments.Folder));
        // Requests have one form or one JSON object.
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = JsonBody.MaxLength);

        services.AddSingleton<IReadOnlyList<TurnServerSettings>>(settings.TurnServers);
        services.AddSingleton(new TokenEndpointSettings(settings.AllowGetTokenRequests!.Value));
        services.AddKeyRings(settings);
        services.AddSingleton<TokenIssuer>();
        services.AddSingleton(new GrantedLimits(settings.GuestTraffic.ToGrant(), settings.UserTraffic.ToGrant()));
        services.AddWithOptionalRedis<GrantStore>();
        if (settings.ImsRegistration is { } registration)
        {
            services.AddSingleton(registration);
            services.AddSingleton(provider => new RegistrationTokenValidator(
                kid => FindImsKey(provider, kid), registration.Identity, registration.Audience,
                provider.GetRequiredService<TimeProvider>()));
        }

        services.AddSingleton<IReadOnlyList<ClientSettings>>(settings.Clients);
        services.AddSingleton<FailedAuthentications>();
        services.AddSingleton<ClientCache>();
        services.AddSingleton(new SlowHash());
        services.AddSingleton<ClientRates>();
        services.AddSingleton<AssertionKeys>();
        services.AddWithOptionalRedis<UsedAssertions>();
        // The folder of the SQLite file.
        if (!settings.Store.IsPostgres) settings.Store.CreateDirectory();
        services.AddSingleton(settings.Store);
        builder.AddStore<WafDatabase>(settings.Store);
        services.AddHostedService<ClientProvisioning>();
        services.AddWithOptionalRedis<Revoker>();
        services.AddHostedService<RemovedClients>();
        services.AddHostedService<RemovedRings>();
        services.AddAudit(settings.AuditRetention);
        // After the migrations.
        services.AddHostedService(provider => provider.GetRequiredService<KeyRotation>());
        services.AddClientRegistration(settings);
        services.AddOpenIddict()
            .AddCore(core => core.AddClients())
            .AddServer(server => AuthorizationServer.Configure(server, settings, hasRedis));

        builder.AddAdministration(settings.Admin);
        services.AddApiDocuments();
        if (settings.MutualTlsAddress is not null || settings.ImsRegistration?.Thumbprint is not null
            || settings.TurnServers.Exists(server => server.Thumbprint is not null))
            services.AllowClientCertificates();
    }

    public static void UseWaf(this WebApplication app)
    {
        app.UseAdminPort();
        KnownProxies.UseIn(app, "Waf:KnownProxies");
        app.RequireEncryption(AuthorizationServer.Folder, WellKnown);
        // A GET may have a secret in its address (TS 33.203 X.5.3.2 step 4).
        app.Use((context, next) =>
        {
            context.Response.Headers["Referrer-Policy"] = "no-referrer";
            return next(context);
        });
        app.UseRateLimiter();
        app.UseSlowHashLimit();
        app.UseAuthentication();
        app.MapKeys();
        app.MapClientRegistration();
        app.MapAdministration();
        app.MapApiDocuments();
    }

    private static void AddClients(this OpenIddictCoreBuilder core)
    {
        core.UseEntityFrameworkCore().UseDbContext<WafDatabase>();
        core.ReplaceApplicationManager<OpenIddictEntityFrameworkCoreApplication, ClientManager>();
        core.Services.AddScoped(provider =>
            (ClientManager)provider.GetRequiredService<OpenIddictApplicationManager<OpenIddictEntityFrameworkCoreApplication>>());
    }

    private static void AddKeyRings(this IServiceCollection services, WafSettings settings)
    {
        var rings = settings.TurnServers.ConvertAll(server => server.ToRing());
        if (settings.ImsRegistration is { } registration) rings.Add(registration.ToRing());
        services.AddSingleton(new KeyRings(rings));
        services.AddSingleton(new KeyProtection(() => settings.Store.CreateKeyDirectory(KeyProtection.Setting, settings.KeyDirectory)));
        services.AddSingleton<KeyStore>();
        services.AddSingleton<KeyUse>();
        services.AddWithOptionalRedis<KeyRotation>();
        if (rings.Exists(ring => ring.StaticKey is null)) services.AddHealthChecks().AddCheck<KeyHealthCheck>(KeyHealthCheck.Name);
    }

    private static RegistrationTokenKey? FindImsKey(IServiceProvider services, string kid)
    {
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        return services.GetRequiredService<KeyRings>().Ims!.GetAlive(now).FirstOrDefault(key => key.Kid == kid)?.Material.Ims;
    }

    private static void AddClientRegistration(this IServiceCollection services, WafSettings settings)
    {
        services.AddSingleton<IReadOnlyList<InitialAccessTokenSettings>>(settings.InitialAccessTokens);
        services.AddSingleton(new RegistrationEndpointSettings(settings.Issuer is { } issuer ? new Uri(issuer) : null));
        services.AddHostedService<InitialAccessTokenProvisioning>();
        services.AddScoped<ClientRegistry>();
        services.AddScoped(provider => provider.WithOptionalRedis<RegistrationEndpoint>());
    }

    private static void AddWithOptionalRedis<T>(this IServiceCollection services)
        where T : class =>
        services.AddSingleton(provider => provider.WithOptionalRedis<T>());

    private static T WithOptionalRedis<T>(this IServiceProvider provider) =>
        ActivatorUtilities.CreateInstance<T>(provider, provider.GetService<IConnectionMultiplexer>() is { } redis ? [redis] : []);

    // The hash identifies a certificate: TURN servers and clients do not need one of an authority.
    private static void AllowClientCertificates(this IServiceCollection services) =>
        services.Configure<HttpsConnectionAdapterOptions>(https =>
        {
            https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            https.AllowAnyClientCertificate();
        });
}
