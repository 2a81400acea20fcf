namespace WebRtcIms.AppHost;

/// <summary>What the WAF and the WWSF have to know about the TURN server.</summary>
/// <param name="ServerName">Associated data of its tokens, and the <c>aud</c> of the token request (RFC 7635).</param>
/// <param name="KeyId">The <c>kid</c> of its long-term key, or the first part of the kids of its ring.</param>
/// <param name="Authority">Address and port of its UDP and TCP listeners.</param>
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
    /// Adds the TURN server on <paramref name="publicAddress"/> or on loopback, with the parameters <c>turn-key-id</c>,
    /// <c>turn-server-name</c> and <c>turn-realm</c>, and the setting <c>{name}-port</c>. It listens and relays on this address.
    /// </summary>
    public static IResourceBuilder<ProjectResource> AddTurnServer(this IDistributedApplicationBuilder builder, string name,
        PublicAddress? publicAddress)
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
        var port = builder.Port(name, DefaultPort, host);
        var portText = port.ToString(CultureInfo.InvariantCulture);

        return builder.AddService<Projects.Turn>(name)
            .WithAnnotation(
                new TurnServerAnnotation(serverName.Resource, keyId.Resource, ReferenceExpression.Create($"{address}:{portText}")))
            .WithTurnEndpoint("udp", ProtocolType.Udp, port, host, environmentVariable: "Turn__Port")
            .WithTurnEndpoint("tcp", ProtocolType.Tcp, port, host, environmentVariable: null)
            .WithEnvironment("Turn__ServerName", serverName)
            .WithEnvironment("Turn__Realm", realm)
            .WithEnvironment("Turn__ListenAddress", address)
            .WithIconName("ArrowRouting")
            .WithTurnCommands();
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
