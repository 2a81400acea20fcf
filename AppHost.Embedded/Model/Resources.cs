using System.Collections.ObjectModel;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A part of the application: a project, Redis, or a parameter. What is known about it hangs on it as annotations.</summary>
public interface IResource
{
    /// <summary>Lower case; the name by which other resources, logs and commands know it.</summary>
    string Name { get; }

    ResourceAnnotationCollection Annotations { get; }
}

public interface IResourceAnnotation;

public interface IResourceWithEnvironment : IResource;

public interface IResourceWithEndpoints : IResource;

public interface IResourceWithWaitSupport : IResource;

public interface IResourceWithServiceDiscovery : IResourceWithEndpoints;

public interface IResourceWithConnectionString : IResource
{
    ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default);
}

public sealed class ResourceAnnotationCollection : Collection<IResourceAnnotation>;

public abstract class Resource(string name) : IResource
{
    public string Name { get; } = name;

    public ResourceAnnotationCollection Annotations { get; } = [];
}

/// <summary>A .NET project, run as a child process from its built assembly.</summary>
public class ProjectResource(string name)
    : Resource(name), IResourceWithEnvironment, IResourceWithWaitSupport, IResourceWithServiceDiscovery;

/// <summary>A value given by configuration (<c>Parameters:{name}</c>) or, where that is absent, by a default.</summary>
public class ParameterResource(string name, Func<ParameterDefault?, string> callback, bool secret = false) : Resource(name)
{
    private readonly Lock _lock = new();
    private string? _value;

    public bool Secret { get; } = secret;

    public ParameterDefault? Default { get; set; }

    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken)
    {
        lock (_lock) return ValueTask.FromResult<string?>(_value ??= callback(Default));
    }
}

/// <summary>Redis, played by a Garnet server inside the host's process; it listens on loopback and wants a password.</summary>
public class RedisResource(string name) : Resource(name), IResourceWithConnectionString, IResourceWithEndpoints, IResourceWithWaitSupport
{
    internal const string PrimaryEndpointName = "tcp";

    /// <summary>Generated for this run, kept when Redis is stopped and started.</summary>
    internal string Password { get; } = new GenerateParameterDefault { MinLength = 22, Special = false }.GetDefaultValue();

    public EndpointReference PrimaryEndpoint => new(this, PrimaryEndpointName);

    /// <summary><c>127.0.0.1:port,password=...</c>, the form that StackExchange.Redis reads.</summary>
    public ValueTask<string?> GetConnectionStringAsync(CancellationToken cancellationToken = default) =>
        ValueTask.FromResult<string?>($"{PrimaryEndpoint.Host}:{PrimaryEndpoint.Port},password={Password}");
}

public enum WaitType
{
    WaitUntilHealthy,
    WaitUntilStarted,
}

/// <summary>Starts this resource only when the other one is healthy, or has been started.</summary>
public sealed record WaitAnnotation(IResource Resource, WaitType WaitType) : IResourceAnnotation;

/// <summary>Adds to the environment of the resource's process; called in the order of the model when the process is started.</summary>
public sealed record EnvironmentCallbackAnnotation(Func<EnvironmentCallbackContext, Task> Callback) : IResourceAnnotation;

public sealed record EnvironmentCallbackContext(Dictionary<string, string> EnvironmentVariables, CancellationToken CancellationToken);

internal sealed record HttpHealthCheckAnnotation(string Path, string? EndpointName, int StatusCode) : IResourceAnnotation;

internal sealed record ProjectAnnotation(IProjectMetadata Metadata) : IResourceAnnotation;

internal static class AnnotationExtensions
{
    public static IEnumerable<T> All<T>(this IResource resource)
        where T : IResourceAnnotation => resource.Annotations.OfType<T>();
}
