using System.Reflection;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting;

/// <summary>Collects the resources of an application; <see cref="Build"/> makes it runnable.</summary>
public interface IDistributedApplicationBuilder
{
    /// <summary>appsettings.json of the host's project, its user secrets, the environment, the command line; the last one wins.</summary>
    ConfigurationManager Configuration { get; }

    /// <summary>The folder of the host's project.</summary>
    string AppHostDirectory { get; }

    Assembly? AppHostAssembly { get; }

    IHostEnvironment Environment { get; }

    IServiceCollection Services { get; }

    IList<IResource> Resources { get; }

    IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource;

    IResourceBuilder<T> CreateResourceBuilder<T>(T resource)
        where T : IResource;

    DistributedApplication Build();
}

/// <summary>One resource within the chain of calls that describes it.</summary>
public interface IResourceBuilder<out T>
    where T : IResource
{
    T Resource { get; }

    IDistributedApplicationBuilder ApplicationBuilder { get; }
}

/// <summary>The model or a start of it is wrong, or a resource cannot run. The message is a sentence for people.</summary>
public sealed class DistributedApplicationException(string message) : Exception(message);

internal sealed record ResourceBuilder<T>(IDistributedApplicationBuilder ApplicationBuilder, T Resource) : IResourceBuilder<T>
    where T : IResource;

internal sealed class DistributedApplicationBuilder : IDistributedApplicationTestingBuilder
{
    private readonly HostApplicationBuilder _host;
    private readonly TestingSession? _session;

    public DistributedApplicationBuilder(string[] args, TestingSession? session)
    {
        _session = session;
        if (session is null) AppDomain.CurrentDomain.UnhandledException += SayWhatIsWrong;
        AppHostAssembly = session?.AppHost ?? Assembly.GetEntryAssembly();
        AppHostDirectory = AppHostAssembly?.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(metadata => metadata.Key == "apphostprojectpath")?.Value is { } path && Directory.Exists(path)
                ? path
                : Directory.GetCurrentDirectory();

        var defaults = new ConfigurationManager();
        if (session is not null) defaults.AddInMemoryCollection([KeyValuePair.Create<string, string?>("DcpPublisher:RandomizePorts", "true")]);
        _host = new HostApplicationBuilder(new HostApplicationBuilderSettings
        {
            Args = args,
            Configuration = defaults,
            ApplicationName = AppHostAssembly?.GetName().Name,
            ContentRootPath = AppHostDirectory,
            EnvironmentName = EnvironmentName(),
        });
        Services.AddSingleton(TimeProvider.System);
        Services.AddSingleton<ResourceLoggerService>();
        Services.AddSingleton<ResourceNotificationService>();
    }

    public ConfigurationManager Configuration => _host.Configuration;

    public string AppHostDirectory { get; }

    public Assembly? AppHostAssembly { get; }

    public IHostEnvironment Environment => _host.Environment;

    public IServiceCollection Services => _host.Services;

    public IList<IResource> Resources { get; } = [];

    public IResourceBuilder<T> AddResource<T>(T resource)
        where T : IResource
    {
        if (Resources.Any(other => string.Equals(other.Name, resource.Name, StringComparison.OrdinalIgnoreCase)))
            throw new DistributedApplicationException($"There are two resources with the name '{resource.Name}'.");
        Resources.Add(resource);
        return CreateResourceBuilder(resource);
    }

    public IResourceBuilder<T> CreateResourceBuilder<T>(T resource)
        where T : IResource => new ResourceBuilder<T>(this, resource);

    public DistributedApplication Build()
    {
        _session?.HandOver(this);
        return new DistributedApplication(_host.Build(), [.. Resources], writesToConsole: _session is null);
    }

    public Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default) => Task.FromResult(Build());

    // A model that cannot be made is told in a sentence, as a start that fails is, and not by a stack trace.
    private void SayWhatIsWrong(object sender, UnhandledExceptionEventArgs failure)
    {
        if (failure.ExceptionObject is not DistributedApplicationException error) return;
        Console.Error.WriteLine($"{DistributedApplication.NameOf(Environment)} cannot start. {error.Message}");
        System.Environment.Exit(1);
    }

    // This engine is for development machines, and also `dotnet WebRtcIms.AppHost.dll` without a launch profile is one.
    private static string EnvironmentName() =>
        System.Environment.GetEnvironmentVariable("DOTNET_ENVIRONMENT")
        ?? System.Environment.GetEnvironmentVariable("ASPNETCORE_ENVIRONMENT")
        ?? Environments.Development;
}
