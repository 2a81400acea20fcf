namespace WebRtcIms.AppHost;

/// <summary>What the WAF and the WWSF have to know about the TURN servers.</summary>
/// <param name="ServerName">Associated data of their tokens, and the <c>aud</c> of the token request (RFC 7635).</param>
/// <param name="KeyId">The <c>kid</c> of their long-term key, or the first part of the kids of their ring.</param>
/// <param name="Authority">Address and port of the UDP and TCP listeners of this server.</param>
internal sealed record TurnServerAnnotation(
    ParameterResource ServerName, ParameterResource KeyId, ReferenceExpression Authority) : IResourceAnnotation
{
    public const string Algorithm = "A256GCM";

    /// <summary>The name of a TURN server for which the WAF has keys, and which does not run.</summary>
    public const string OtherServerName = $"another-turn.{Ims.Domain}";

    /// <summary>The TURN URI for a transport, <c>udp</c> or <c>tcp</c> (RFC 7065).</summary>
    public ReferenceExpression Uri(string transport) => ReferenceExpression.Create($"turn:{Authority}?transport={transport}");
}

internal static class TurnServer
{
    private const int DefaultPort = 3478;

    /// <summary>
    /// Adds TURN servers on <paramref name="publicAddress"/> or on loopback, with the parameters <c>turn-key-id</c>,
    /// <c>turn-server-name</c> and <c>turn-realm</c>, and for each the setting <c>{name}-port</c>. They listen and relay on this address.
    /// Several are one fleet: <c>{name}</c>, <c>{name}-2</c> and so on have one server name and accept each other's tokens and nonces.
    /// </summary>
    public static IReadOnlyList<IResourceBuilder<ProjectResource>> AddTurnServers(
        this IDistributedApplicationBuilder builder, string name, PublicAddress? publicAddress, int replicas,
        Action<IResourceBuilder<ProjectResource>> configure)
    {
        var serverName = builder.AddParameter("turn-server-name", $"turn.{Ims.Domain}", publishValueAsDefault: true)
            .WithDescription("Name of the TURN server in tokens: their associated data and audience (RFC 7635).");
        var realm = builder.AddParameter("turn-realm", Ims.Domain, publishValueAsDefault: true)
            .WithDescription("REALM of the TURN server (RFC 8489 §14.9).");
        var keyId = builder.AddParameter("turn-key-id", "k1", publishValueAsDefault: true)
            .WithDescription("Key id (kid) of the long-term key, or the first part of the kids of the WAF's key ring.");
        var host = publicAddress?.Ip ?? PublicAddress.Loopback;
        var address = builder.ExecutionContext.IsPublishMode
            ? ReferenceExpression.Create(
                $"{builder.AddParameter(PublicAddress.Parameter).WithDescription("Address where clients reach the TURN server.")}")
            : ReferenceExpression.Create($"{host}");

        List<IResourceBuilder<ProjectResource>> servers = [];
        var port = DefaultPort;
        for (var number = 1; number <= replicas; number++)
        {
            var node = number == 1 ? name : string.Create(CultureInfo.InvariantCulture, $"{name}-{number}");
            port = builder.Port(node, port, host);
            var portText = port.ToString(CultureInfo.InvariantCulture);
            var server = builder.AddService<Projects.Turn>(node)
                .WithAnnotation(
                    new TurnServerAnnotation(serverName.Resource, keyId.Resource, ReferenceExpression.Create($"{address}:{portText}")))
                .WithTurnEndpoint("udp", ProtocolType.Udp, port, host, environmentVariable: "Turn__Port")
                .WithTurnEndpoint("tcp", ProtocolType.Tcp, port, host, environmentVariable: null)
                .WithEnvironment("Turn__ServerName", serverName)
                .WithEnvironment("Turn__Realm", realm)
                .WithEnvironment("Turn__ListenAddress", address)
                .WithIconName("ArrowRouting")
                .WithTurnCommands();
            if (number > 1)
            {
                // The launch profile has one port for the management. Traces have one name for all servers, and instances.
                server.WithEndpoint("http", endpoint => endpoint.Port = null).WithEnvironment("OTEL_SERVICE_NAME", name);
            }

            configure(server);
            servers.Add(server);
            port++;
        }

        servers.ShareFleetKey();
        return servers;
    }

    // Without it the nonces of each are its own.
    private static void ShareFleetKey(this List<IResourceBuilder<ProjectResource>> servers)
    {
        if (servers is [_]) return;
        var key = servers[0].ApplicationBuilder.AddParameter("turn-fleet-key", new RandomKey(), secret: true, persist: true)
            .WithDescription("Authenticates the nonces and mobility tickets of all TURN servers: 32 bytes in base64.");
        foreach (var server in servers) server.WithEnvironment("Turn__FleetKey", key);
    }

    // Not proxied: the server knows its clients by their addresses.
    private static IResourceBuilder<ProjectResource> WithTurnEndpoint(
        this IResourceBuilder<ProjectResource> turn, string name, ProtocolType protocol, int port, string host,
        string? environmentVariable) =>
        turn.WithEndpoint(
                port: port, targetPort: port, scheme: "turn", name: name, env: environmentVariable, isProxied: false, isExternal: true,
                protocol: protocol)
            .WithEndpoint(name, endpoint => endpoint.TargetHost = host);
}
