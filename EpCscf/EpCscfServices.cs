using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Core;
using WebRtcIms.EpCscf.Presence;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.EpCscf.Server;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.EpCscf.Telemetry;
using WebRtcIms.EpCscf.Transactions;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.ServiceDefaults.KeyDelivery;

namespace WebRtcIms.EpCscf;

/// <summary>Composes the eP-CSCF: its services and its endpoints.</summary>
internal static class EpCscfServices
{
    public static void AddEpCscf(this WebApplicationBuilder builder)
    {
        var settings = EpCscfSettings.Read(builder.Configuration, builder.Environment.IsDevelopment());
        var services = builder.Services;
        services.AddSingleton(settings);
        services.AddSingleton(new CoreModel(settings));
        services.AddSingleton<TraceMembers>();
        services.AddSingleton<EpCscfTelemetry>();
        services.AddSingleton<CallLog>();
        services.AddSingleton<TokenKeys>();
        if (settings.KeyUse is { } use) services.AddKeyDelivery<TokenKeys>(use);
        services.AddSingleton(provider => new RegistrationTokenValidator(
            provider.GetRequiredService<TokenKeys>().Find, settings.Waf, $"sip:{settings.HomeDomain}",
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<TokenAuthorization>();
        services.AddSingleton<BindingNames>();
        services.AddSingleton<RevokedSessions>();
        services.AddSingleton<RevokedTokens>();
        services.AddSingleton<Replicas>();
        services.AddSingleton<HandOvers>();
        if (builder.TryAddRedisClient())
        {
            services.AddSingleton<BindingRedis>();
            services.AddSingleton<IBindingStore, RedisBindingStore>();
            services.AddSingleton<GuestLeases>();
            services.AddHostedService<ReplicaService>();
            services.AddHostedService<RevocationFeed>();
        }
        else
        {
            services.AddSingleton<IBindingStore, InMemoryBindingStore>();
        }

        services.AddSingleton<Delivery>();
        services.AddSingleton<Flows>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<ConnectionAdmission>(
            provider, "epcscf", settings.Limits.OfConnections));
        KnownProxies.AddTo(services, settings.KnownProxies);
        services.AddSingleton<TransactionTable>();
        services.AddSingleton<BranchServices>();
        services.AddSingleton<EndedDialogs>();
        services.AddSingleton<RouteTokens>();
        services.AddSingleton<ProxiedRequests>();
        services.AddSingleton<Proxy>();
        services.AddSingleton<Cancellation>();
        services.AddSingleton<Registrar>();
        services.AddSingleton<LostBindings>();
        services.AddSingleton<SipServer>();
        services.AddSingleton<SipEndpoint>();
        services.AddSingleton<DirectoryLimit>();
        services.AddSingleton<OnlineUsers>();
        services.AddSingleton<OnlineSubscriptions>();
        services.AddSingleton<OnlineNotifier>();
        services.AddHostedService(provider => provider.GetRequiredService<OnlineNotifier>());
    }

    public static void MapEpCscf(this WebApplication app)
    {
        var services = app.Services;
        services.GetRequiredService<Registrar>().BindingLost += services.GetRequiredService<LostBindings>().HandleAsync;
        services.GetRequiredService<Registrar>().OnlineChanged += services.GetRequiredService<OnlineNotifier>().Handle;
        app.Lifetime.ApplicationStopping.Register(services.GetRequiredService<Flows>().CloseAll);
        KnownProxies.UseIn(app, "EpCscf:KnownProxies");
        app.UseWebSockets(new() { KeepAliveInterval = ConnectionLifetimes.Ping, KeepAliveTimeout = ConnectionLifetimes.Ping });
        app.Map("/sip", services.GetRequiredService<SipEndpoint>().AcceptAsync);
        app.MapDirectory();
        app.MapSessions();
    }
}
