using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>The verbs of an application model: the subset of Aspire 13.5.2 that AppHost.cs and the tests use, with its signatures.</summary>
public static class BuilderExtensions
{
    /// <summary>A project of the solution. Addresses and environment come from its launch profile.</summary>
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(this IDistributedApplicationBuilder builder, string name)
        where TProject : IProjectMetadata, new()
    {
        var metadata = new TProject();
        var resource = new ProjectResource(name);
        resource.Annotations.Add(new ProjectAnnotation(metadata));
        var project = builder.AddResource(resource);

        var profile = LaunchProfile.Find(Path.GetDirectoryName(metadata.ProjectPath)!, builder.Configuration["DOTNET_LAUNCH_PROFILE"]);
        if (profile is null) return project;

        foreach (var url in profile.Urls.DistinctBy(url => url.Scheme))
        {
            resource.Annotations.Add(new EndpointAnnotation(ProtocolType.Tcp, url.Scheme, url.Scheme, url.Port)
            {
                TargetHost = url.Host,
                ChangedBy = $"applicationUrl in {Path.Combine(Path.GetFileName(Path.GetDirectoryName(metadata.ProjectPath))!, LaunchProfile.RelativePath)}",
            });
        }

        return project
            .WithEnvironment("DOTNET_LAUNCH_PROFILE", profile.Name)
            .WithEnvironment(context =>
            {
                foreach (var (key, value) in profile.Environment) context.EnvironmentVariables.TryAdd(key, value);
            });
    }

    /// <summary>Redis: a Garnet server inside the host's process, on a free loopback port, with a password made for this run.</summary>
    public static IResourceBuilder<RedisResource> AddRedis(this IDistributedApplicationBuilder builder, string name)
    {
        var redis = builder.AddResource(new RedisResource(name));
        redis.Resource.Annotations.Add(
            new EndpointAnnotation(ProtocolType.Tcp, "tcp", RedisResource.PrimaryEndpointName, port: null) { TargetHost = "127.0.0.1" });
        return redis;
    }

    /// <summary>A value that the configuration must give as <c>Parameters:{name}</c>.</summary>
    public static IResourceBuilder<ParameterResource> AddParameter(this IDistributedApplicationBuilder builder, string name, bool secret = false) =>
        builder.AddResource(new ParameterResource(name, _ => builder.Configuration[$"Parameters:{name}"] ?? throw new DistributedApplicationException(
            $"The parameter '{name}' has no value: set Parameters:{name}, for example with --Parameters:{name}=<value>."), secret));

    /// <summary><c>Parameters:{name}</c> of the configuration, else the default; <paramref name="persist"/> keeps that in the user secrets.</summary>
    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, string name, ParameterDefault value, bool secret = false, bool persist = false)
    {
        if (persist && builder.AppHostAssembly is { } host) value = new UserSecretsParameterDefault(host, name, value);
        return builder.AddResource(new ParameterResource(
            name, fallback => builder.Configuration[$"Parameters:{name}"] ?? fallback!.GetDefaultValue(), secret)
        {
            Default = value,
        });
    }

    /// <summary>
    /// A port besides those of the launch profile. <paramref name="env"/> names an environment variable that tells the resource.
    /// The host reads such a port from the setting <c>{resource}-port</c> by convention; the sentence about a port in use names it.
    /// </summary>
    public static IResourceBuilder<T> WithEndpoint<T>(
        this IResourceBuilder<T> builder,
        int? port = null,
        int? targetPort = null,
        string? scheme = null,
        string? name = null,
        string? env = null,
        bool? isProxied = null,
        bool? isExternal = null,
        ProtocolType? protocol = null)
        where T : IResourceWithEndpoints
    {
        var transport = protocol ?? ProtocolType.Tcp;
        var uriScheme = scheme ?? (transport == ProtocolType.Udp ? "udp" : "tcp");
        builder.Resource.Annotations.Add(new EndpointAnnotation(transport, uriScheme, name ?? uriScheme, targetPort ?? port, isProxied ?? true)
        {
            IsExternal = isExternal ?? false,
            PortVariable = env,
            ChangedBy = $"{builder.Resource.Name}-port (dotnet run --project AppHost -- --{builder.Resource.Name}-port=<port>)",
        });
        return builder;
    }

    /// <summary>Changes an endpoint that the resource has.</summary>
    public static IResourceBuilder<T> WithEndpoint<T>(this IResourceBuilder<T> builder, string endpointName, Action<EndpointAnnotation> callback)
        where T : IResourceWithEndpoints
    {
        callback(builder.GetEndpoint(endpointName).Annotation);
        return builder;
    }

    /// <summary>People open this resource: its address is named when all is up.</summary>
    public static IResourceBuilder<T> WithExternalHttpEndpoints<T>(this IResourceBuilder<T> builder)
        where T : IResourceWithEndpoints
    {
        foreach (var endpoint in builder.Resource.All<EndpointAnnotation>().Where(endpoint => endpoint.IsHttp)) endpoint.IsExternal = true;
        return builder;
    }

    /// <summary>Healthy is when this path answers with the status, 200 when none is given.</summary>
    public static IResourceBuilder<T> WithHttpHealthCheck<T>(
        this IResourceBuilder<T> builder, string? path = null, int? statusCode = null, string? endpointName = null)
        where T : IResourceWithEndpoints
    {
        builder.Resource.Annotations.Add(new HttpHealthCheckAnnotation(path ?? "/", endpointName, statusCode ?? 200));
        return builder;
    }

    public static IResourceBuilder<T> WaitFor<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency)
        where T : IResourceWithWaitSupport
    {
        builder.Resource.Annotations.Add(new WaitAnnotation(dependency.Resource, WaitType.WaitUntilHealthy));
        return builder;
    }

    public static IResourceBuilder<T> WaitForStart<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency)
        where T : IResourceWithWaitSupport
    {
        builder.Resource.Annotations.Add(new WaitAnnotation(dependency.Resource, WaitType.WaitUntilStarted));
        return builder;
    }

    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, string? value)
        where T : IResourceWithEnvironment =>
        builder.WithEnvironment(context => context.EnvironmentVariables[name] = value ?? "");

    public static IResourceBuilder<T> WithEnvironment<T>(
        this IResourceBuilder<T> builder, string name, IResourceBuilder<ParameterResource> parameter)
        where T : IResourceWithEnvironment =>
        builder.WithEnvironment(async context =>
            context.EnvironmentVariables[name] = await parameter.Resource.GetValueAsync(context.CancellationToken) ?? "");

    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, EndpointReference endpoint)
        where T : IResourceWithEnvironment =>
        builder.WithEnvironment(context => context.EnvironmentVariables[name] = endpoint.Url);

    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, Action<EnvironmentCallbackContext> callback)
        where T : IResourceWithEnvironment =>
        builder.WithEnvironment(context =>
        {
            callback(context);
            return Task.CompletedTask;
        });

    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, Func<EnvironmentCallbackContext, Task> callback)
        where T : IResourceWithEnvironment
    {
        builder.Resource.Annotations.Add(new EnvironmentCallbackAnnotation(callback));
        return builder;
    }

    /// <summary>Tells the connection string as <c>ConnectionStrings__{name}</c>, and its parts as <c>{NAME}_HOST</c> and so on.</summary>
    public static IResourceBuilder<T> WithReference<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResourceWithConnectionString> source)
        where T : IResourceWithEnvironment =>
        builder.WithEnvironment(async context =>
        {
            var variables = context.EnvironmentVariables;
            variables[$"ConnectionStrings__{source.Resource.Name}"] =
                await source.Resource.GetConnectionStringAsync(context.CancellationToken) ?? "";
            if (source.Resource is not RedisResource redis) return;

            var prefix = VariableName(redis.Name);
            var (host, port) = (redis.PrimaryEndpoint.Host, redis.PrimaryEndpoint.Port);
            variables[$"{prefix}_HOST"] = host;
            variables[$"{prefix}_PORT"] = $"{port}";
            variables[$"{prefix}_PASSWORD"] = redis.Password;
            variables[$"{prefix}_URI"] = $"redis://:{redis.Password}@{host}:{port}";
        });

    /// <summary>Tells the addresses for service discovery as <c>services__{name}__{endpoint}__0</c>, and as <c>{NAME}_{ENDPOINT}</c>.</summary>
    public static IResourceBuilder<T> WithReference<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResourceWithServiceDiscovery> source)
        where T : IResourceWithEnvironment =>
        builder.WithEnvironment(context =>
        {
            foreach (var endpoint in source.Resource.All<EndpointAnnotation>())
            {
                var url = source.GetEndpoint(endpoint.Name).Url;
                context.EnvironmentVariables[$"services__{source.Resource.Name}__{endpoint.Name}__0"] = url;
                context.EnvironmentVariables[$"{VariableName(source.Resource.Name)}_{VariableName(endpoint.Name)}"] = url;
            }
        });

    public static EndpointReference GetEndpoint<T>(this IResourceBuilder<T> builder, string name)
        where T : IResourceWithEndpoints => new(builder.Resource, name);

    /// <summary>A resource that the model already has, to change it.</summary>
    public static IResourceBuilder<T> CreateResourceBuilder<T>(this IDistributedApplicationBuilder builder, string name)
        where T : IResource =>
        builder.CreateResourceBuilder(builder.Resources.OfType<T>().SingleOrDefault(resource => resource.Name == name)
            ?? throw new InvalidOperationException($"The model has no {typeof(T).Name} with the name '{name}'."));

    private static string VariableName(string name) =>
        string.Concat(name.Select(character => char.IsAsciiLetterOrDigit(character) ? char.ToUpperInvariant(character) : '_'));
}
