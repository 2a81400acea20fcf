using WebRtcIms.EpCscf.Authorization;
using WebRtcIms.EpCscf.Core;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Replicas;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.EpCscf.Transactions;
using WebRtcIms.EpCscf.WebSockets;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.EpCscf;

/// <summary>Puts the eP-CSCF together.</summary>
internal static class EpCscfServices
{
    public static void AddEpCscf(this WebApplicationBuilder builder, EpCscfSettings settings)
    {
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        var services = builder.Services;
        services.AddProblemDetails();
        services.AddSingleton(settings);
        services.AddSingleton(new CoreModel(settings));
        services.AddSingleton<EpCscfTelemetry>();
        services.AddSingleton(provider => new RegistrationTokenValidator(
            settings.TokenKeys.Select(key => new RegistrationTokenKey(key.Kid, Convert.FromBase64String(key.Key))),
            settings.Waf, $"sip:{settings.HomeDomain}", provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<TokenAuthorization>();
        services.AddSingleton<BindingNames>();
        if (builder.TryAddRedisClient())
        {
            services.AddSingleton<IBindingStore, RedisBindingStore>();
            services.AddSingleton<RedisReplicas>();
            services.AddSingleton<IReplicas>(provider => provider.GetRequiredService<RedisReplicas>());
            services.AddHostedService<ReplicaService>();
        }
        else
        {
            services.AddSingleton<IBindingStore, InMemoryBindingStore>();
            services.AddSingleton<IReplicas, NoReplicas>();
        }

        services.AddSingleton<Delivery>();
        services.AddSingleton<Flows>();
        services.AddSingleton<TransactionTable>();
        services.AddSingleton<BranchServices>();
        services.AddSingleton<RouteTokens>();
        services.AddSingleton<ProxiedRequests>();
        services.AddSingleton<Proxy>();
        services.AddSingleton<Cancellation>();
        services.AddSingleton<Registrar>();
        services.AddSingleton<SipServer>();
    }
}
