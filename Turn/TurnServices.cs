using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using StackExchange.Redis;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.ServiceDefaults.KeyDelivery;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Turn.Addresses;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Management;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Transport.Dtls;
using WebRtcIms.Turn.Transport.Linux;
using WebRtcIms.Turn.Transport.Linux.Native;
using WebRtcIms.Turn.Transport.Portable;
using WebRtcIms.Turn.Transport.Relays;
using WebRtcIms.Turn.Transport.Streams;
using WebRtcIms.Turn.Transport.TcpRelays;

namespace WebRtcIms.Turn;

/// <summary>Builds the server from its settings.</summary>
internal static class TurnServices
{
    /// <exception cref="SettingsException">There are problems. The message lists them all, and has no secret.</exception>
    public static TurnSettings ReadTurnSettings(this IConfiguration configuration) =>
        SettingsReader.Read<TurnSettings>(configuration, "Turn", settings =>
        {
            List<string> problems = [];
            settings.Keys = TurnKeySettings.ReadAll(configuration, problems);
            return [.. problems, .. settings.Problems()];
        });

    /// <exception cref="SettingsException">There are problems with the settings.</exception>
    public static void AddTurn(this WebApplicationBuilder builder)
    {
        var settings = builder.Configuration.ReadTurnSettings();
        builder.AddTurn(settings);

        // Kestrel takes its endpoints either from ASPNETCORE_URLS or from code. Those of TURN are in code, so management is also.
        var managementUrls = ManagementSettings.Urls(builder.Configuration);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = ManagementEndpoint.MaxRequestBodyBytes;
            foreach (var url in managementUrls) ManagementEndpoint.Listen(kestrel, url);
            kestrel.ListenForTurn(settings);
        });
    }

    public static void UseTurn(this WebApplication app)
    {
        app.Services.ObserveTurn();
        app.LogCapacity();
        app.MapManagement();
    }

    public static void AddTurn(this IHostApplicationBuilder builder, TurnSettings settings)
    {
        var services = builder.Services;
        var keys = settings.Keys.ConvertAll(key => key.ToKey());
        services.AddSingleton(settings);
        services.AddSingleton(new AccessTokenKeyRing(keys));
        services.AddSingleton(Random.Shared);

        // REALM is prepared where it is sent (RFC 8489 §14.9), and clients derive their keys from what they got.
        var realm = LongTermKey.PrepareOpaqueString(settings.Realm);
        var authentication = new AuthenticationSettings(
            settings.ServerName,
            realm,
            settings.BrowserProfile.Enabled,
            settings.StaticUsers.ConvertAll(user => Credential.FromStaticUser(user.Name, user.Password, realm)),
            settings.SharedSecret is { } secret ? Encoding.UTF8.GetBytes(secret) : null,
            settings.SharedSecretTime == SharedSecretTime.Allocation,
            AwaitsKeys: settings.KeyDelivery is not null);
        services.AddSingleton(authentication);
        services.AddSingleton(provider => new NonceIssuer(
            FleetKey(settings, "webrtcims turn nonce"), authentication.Features(tokens: settings.AcceptsTokens),
            provider.GetRequiredService<Random>()));
        services.AddSingleton<RequestAuthenticator>();
        services.AddSingleton<KeyReload>();
        services.AddHostedService(provider => provider.GetRequiredService<KeyReload>());
        if (settings.KeyUse is { } use) services.AddKeyDelivery<KeyReload>(use);
        services.AddAddresses(settings);
        services.AddSingleton(new EngineSettings
        {
            // Until addresses are known.
            RelaysIPv4 = false,
            DefaultsToClientFamily = settings.DefaultRelayFamily == DefaultRelayFamily.Client,
            Rfc5766Channels = settings.Rfc5766Channels,
            DraftAddressFamily = settings.DraftAddressFamily,
            TcpRelays = settings.TcpRelays,
            ChallengesPerSecond = settings.ChallengesPerSecond,
            DontFragment = DatagramSocket.CanForbidFragments,
            MaxPermissions = settings.Quotas.PeersPerAllocation,
            MaxChannels = settings.Quotas.PeersPerAllocation,
            Traffic = new TrafficLimits(settings.Quotas.PacketsPerSecond, settings.Quotas.BytesPerSecond),
        });
        services.AddSingleton<RelayShortages>();
        services.AddSingleton<RelayBinder>();
        services.AddSingleton(new PortReservations());
        services.AddSingleton(
            new MobileAllocations(settings.Mobility ? new MobilityTickets(FleetKey(settings, "webrtcims turn ticket")) : null));
        services.AddSingleton(new UnboundConnections());
        services.AddSingleton<TurnMetrics>();
        services.AddSingleton<ReplayCache>();
        services.AddSingleton(new AllocationQuotas(settings.Quotas));
        if (builder.TryAddRedisClient()) services.AddSingleton<TokenCache>();
        services.AddSingleton<AllocationAdmission>();
        services.AddSingleton<Revocations>();
        services.AddSingleton<IRevocations>(provider => provider.GetRequiredService<Revocations>());
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<RevocationFeed>(provider, () => EndRevoked(provider)));
        services.AddHostedService(provider => provider.GetRequiredService<RevocationFeed>());
        services.AddSingleton<Drain>();
        services.AddSingleton<IHostLifetime>(provider => provider.GetRequiredService<Drain>());

        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower);

        // Draining comes before: this is for streams that clients keep open.
        services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(2));
        services.AddSingleton<IReadOnlyList<EngineHost>>(provider =>
        {
            var hosts = Enumerable.Range(0, settings.UsesWorkers ? settings.Workers : 1).Select(number =>
                ActivatorUtilities.CreateInstance<EngineHost>(
                provider, ActivatorUtilities.CreateInstance<TurnEngine>(provider, number))).ToList();
            foreach (var host in hosts)
            {
                host.Workers = hosts;
                host.TcpRelays = ActivatorUtilities.CreateInstance<TcpRelayTransport>(provider, host);
            }

            return hosts;
        });
        services.AddSingleton<TlsHandshakes>();
        services.AddSingleton(DescriptorShares.Of(settings));
        services.AddSingleton(provider => new RelaySockets(provider.GetRequiredService<DescriptorShares>().Relays));
        services.AddSingleton<StreamAdmissions>();
        AdmittedListeners.AddTo(
            services, (provider, endpoint) => provider.GetRequiredService<StreamAdmissions>().Of(endpoint),
            endpoint => endpoint.Port == settings.Port || endpoint.Port == settings.TlsPort ? StreamEndpoints.Bind(endpoint) : null);
        services.AddHostedService(provider => provider.GetRequiredService<TlsHandshakes>());
        services.AddHostedService<EngineHostService>();
        if (settings.UsesWorkers) services.AddListener<LinuxTransport>();
        else services.AddListener<PortableTransport>();
        services.AddListener<DtlsService>();

        // After the listeners, which it opens.
        services.AddHostedService<AddressFollower>();
    }

    private static void AddAddresses(this IServiceCollection services, TurnSettings settings)
    {
        services.AddSingleton(new LiveRelays());
        services.AddSingleton(provider => PeerPolicyFrom(settings, provider.GetRequiredService<LiveRelays>()));
        services.AddSingleton<ListeningAddresses>();
        services.AddSingleton<RelayAddresses>();
        services.AddSingleton<PublicAddresses>();
        services.AddSingleton(provider => ActivatorUtilities.CreateInstance<OwnAddresses>(
            provider, () => provider.GetService<IConnectionMultiplexer>()?.GetEndPoints() ?? Enumerable.Empty<EndPoint>()));
        services.AddSingleton<HostNames>();
        services.AddSingleton<IAddressChanges>(_ =>
            OperatingSystem.IsLinux() && NetlinkChanges.TryOpen() is { } netlink ? netlink : new NetworkChanges());
        services.AddHealthChecks().AddCheck<AddressHealthCheck>("addresses");
    }

    // The first is that of UDP.
    private static void AddListener<T>(this IServiceCollection services)
        where T : class, IHostedService, IAddressListener
    {
        services.AddSingleton<T>();
        services.AddSingleton<IAddressListener>(provider => provider.GetRequiredService<T>());
        services.AddHostedService(provider => provider.GetRequiredService<T>());
    }

    private static int EndRevoked(IServiceProvider provider)
    {
        var revocations = provider.GetRequiredService<Revocations>();
        var now = provider.GetRequiredService<TimeProvider>().GetUtcNow();
        return provider.GetRequiredService<IReadOnlyList<EngineHost>>().Sum(host => host.End(
            (allocation, record) => revocations.Cover(allocation.Credential, now, record.Grant), AllocationEnd.Revoked));
    }

    /// <summary>
    /// All nodes with the same fleet key or first long-term key accept each other's nonces and know each other's tickets, so a client may
    /// be moved between them. Without one both are this process's own.
    /// </summary>
    private static byte[] FleetKey(TurnSettings settings, string purpose) =>
        (settings.FleetKey ?? settings.Keys.FirstOrDefault()?.Key) is { } secret
            ? HKDF.DeriveKey(HashAlgorithmName.SHA256, Convert.FromBase64String(secret), 32, info: Encoding.ASCII.GetBytes(purpose))
            : RandomNumberGenerator.GetBytes(32);

    private static PeerPolicy PeerPolicyFrom(TurnSettings settings, LiveRelays relays)
    {
        var allowed = settings.AllowedPeers.ConvertAll(AddressRange.Parse);
        var denied = settings.DeniedPeers.ConvertAll(AddressRange.Parse);
        if (settings.PeerPolicy == PeerPolicyMode.AllowLoopback) allowed.AddRange(PeerPolicy.Loopback);
        return new PeerPolicy(
            allowed, denied, new HashSet<TransportAddress>(), relays, opensMachine: settings.PeerPolicy == PeerPolicyMode.AllowThisMachine);
    }
}
