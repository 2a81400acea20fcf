using Microsoft.Extensions.DependencyInjection;

namespace WebRtcIms.AppHost;

/// <summary>
/// Redis without Docker: Microsoft.Garnet as a process, with the endpoint and the connection string of Aspire's Redis container.
/// </summary>
internal sealed class GarnetResource(string name, ParameterResource password) :
    ExecutableResource(name, BuiltPrograms.PathOf<Projects.Garnet>(), Path.GetDirectoryName(new Projects.Garnet().ProjectPath)!),
        IResourceWithConnectionString
{
    public const string EndpointName = "tcp";

    private EndpointReference Endpoint => new(this, EndpointName);

    public ReferenceExpression ConnectionStringExpression =>
        ReferenceExpression.Create($"{Endpoint.Property(EndpointProperty.HostAndPort)},password={password}");

    public IEnumerable<KeyValuePair<string, ReferenceExpression>> GetConnectionProperties() =>
    [
        new("Host", ReferenceExpression.Create($"{Endpoint.Property(EndpointProperty.Host)}")),
        new("Port", ReferenceExpression.Create($"{Endpoint.Property(EndpointProperty.Port)}")),
        new("Password", ReferenceExpression.Create($"{password}")),
        new("Uri", ReferenceExpression.Create($"redis://:{password:uri}@{Endpoint.Property(EndpointProperty.HostAndPort)}")),
    ];
}

/// <summary>The Redis of the model, in three forms that its clients cannot tell apart.</summary>
internal static class RedisServer
{
    /// <summary>
    /// Adds Redis: an existing server where <c>ConnectionStrings:{name}</c> is set; a container with <c>--redis=container</c> and when
    /// publishing; else the Garnet process.
    /// </summary>
    /// <exception cref="DistributedApplicationException">The setting <c>redis</c> has another value.</exception>
    public static IResourceBuilder<IResourceWithConnectionString> AddRedisServer(this IDistributedApplicationBuilder builder, string name)
    {
        if (!string.IsNullOrWhiteSpace(builder.Configuration.GetConnectionString(name))) return builder.AddConnectionString(name);
        return (builder.ExecutionContext.IsPublishMode ? "container" : builder.Configuration["redis"]) switch
        {
            null or "" or "garnet" => builder.AddGarnet(name),
            "container" => builder.AddRedis(name).WithFlushCommand(),
            var other => throw new DistributedApplicationException($"redis must be 'garnet' or 'container'; it is '{other}'."),
        };
    }

    private static IResourceBuilder<GarnetResource> AddGarnet(this IDistributedApplicationBuilder builder, string name)
    {
        var password = ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder, $"{name}-password", special: false);
        var garnet = new GarnetResource(name, password);
        var check = $"{name}_check";
        string? connectionString = null;
        builder.Eventing.Subscribe<ConnectionStringAvailableEvent>(
            garnet, async (_, cancel) => connectionString = await garnet.ConnectionStringExpression.GetValueAsync(cancel));
        builder.Services.AddHealthChecks().AddRedis(_ => connectionString!, check);

        return builder.AddResource(garnet)
            .WithEndpoint(scheme: "tcp", name: GarnetResource.EndpointName, env: "GARNET_PORT", isProxied: false,
                protocol: ProtocolType.Tcp)
            .WithEnvironment("GARNET_PASSWORD", password)
            .WithHealthCheck(check)
            .WithIconName("Database")
            .WithFlushCommand();
    }
}
