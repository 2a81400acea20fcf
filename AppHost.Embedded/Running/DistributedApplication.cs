using System.Runtime.InteropServices;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Running;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting;

/// <summary>
/// A runnable application. <see cref="Run"/> is what a host's <c>AppHost.cs</c> ends with: it starts all, waits for Ctrl+C or
/// SIGTERM and stops all. Tests start and stop it themselves.
/// </summary>
public sealed class DistributedApplication : IAsyncDisposable, IDisposable
{
    private readonly IHost _host;
    private readonly IReadOnlyList<IResource> _resources;
    private readonly ConsoleReport? _console;
    private readonly Dictionary<string, ResourceRunner> _runners;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ResourceService _resourceService;
    private readonly Lazy<ProcessGuard> _guard = new(() => new ProcessGuard());
    private Task _starts = Task.CompletedTask;

    internal DistributedApplication(IHost host, IReadOnlyList<IResource> resources, bool writesToConsole)
    {
        _host = host;
        _resources = resources;
        _console = writesToConsole ? new ConsoleReport([.. resources.Where(resource => resource is not ParameterResource)]) : null;
        var environment = new EnvironmentOfProject(Configuration, host.Services.GetRequiredService<IHostEnvironment>(), writesToConsole && ConsoleReport.UsesColor);
        _runners = resources
            .Select(resource => (resource.Name, Launch: LaunchOf(resource, environment), resource))
            .Where(entry => entry.Launch is not null)
            .ToDictionary(entry => entry.Name, entry => new ResourceRunner(entry.resource, entry.Launch!, ResourceNotifications)
            {
                Notice = text => _console?.Say(text),
            });
        ResourceCommands = new ResourceCommandService(_runners);
        _resourceService = new ResourceService(resources, ResourceNotifications, Logs, ResourceCommands);
        _console?.Follow(Logs, ResourceNotifications);
    }

    public IServiceProvider Services => _host.Services;

    public ResourceNotificationService ResourceNotifications => Services.GetRequiredService<ResourceNotificationService>();

    public ResourceCommandService ResourceCommands { get; }

    internal IReadOnlyList<IResource> Resources => _resources;

    private ResourceLoggerService Logs => Services.GetRequiredService<ResourceLoggerService>();

    private IConfiguration Configuration => Services.GetRequiredService<IConfiguration>();

    private string Name => NameOf(Services.GetRequiredService<IHostEnvironment>());

    public static IDistributedApplicationBuilder CreateBuilder(string[] args) => new DistributedApplicationBuilder(args, TestingSession.Current);

    internal static string NameOf(IHostEnvironment environment) => environment.ApplicationName.Replace(".AppHost", "", StringComparison.Ordinal);

    public void Run() => RunAsync().GetAwaiter().GetResult();

    /// <summary>Returns when all is stopped. After a failed start the exit code of the process is 1.</summary>
    public async Task RunAsync(CancellationToken cancellationToken = default)
    {
        using var shutdown = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var hurry = new CancellationTokenSource();
        using var signals = new Signals(shutdown, hurry);
        try
        {
            await StartAsync(shutdown.Token);
            await AllHealthyAsync(shutdown.Token);
            _console?.Say($"{Name} is up: open {string.Join(" or ", PublicAddresses())}");
            await Task.Delay(Timeout.Infinite, shutdown.Token);
        }
        catch (DistributedApplicationException error)
        {
            _console?.Complain($"{Name} cannot start. {error.Message}");
            Environment.ExitCode = 1;
        }
        catch (OperationCanceledException) when (shutdown.IsCancellationRequested)
        {
            _console?.Say($"{Name} stops.");
        }
        finally
        {
            await StopAsync(hurry.Token);
            await DisposeAsync();
        }
    }

    /// <summary>Takes the ports and begins to start the resources, each when those that it waits for are healthy.</summary>
    /// <exception cref="DistributedApplicationException">A port is in use; nothing is started then.</exception>
    public Task StartAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Ports.Allocate(_resources, Configuration.GetValue<bool>("DcpPublisher:RandomizePorts"));
        foreach (var runner in _runners.Values) runner.Prepare();
        _starts = Task.WhenAll(_runners.Values.Select(runner => Task.Run(() => runner.StartAsync(_stopping.Token))));
        return Task.CompletedTask;
    }

    /// <summary>Stops everything within five seconds; when cancelled, at once.</summary>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        await _stopping.CancelAsync();
        await _starts.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);

        // These last: the others still write to Redis when they end, and tell the dashboard what they did.
        static bool IsLast(IResource resource) => resource is RedisResource || resource.Name == ResourceService.Dashboard;
        foreach (var group in _resources.Where(resource => _runners.ContainsKey(resource.Name)).GroupBy(IsLast).OrderBy(group => group.Key))
            await Task.WhenAll(group.Select(resource => _runners[resource.Name].StopAsync(cancellationToken)));
    }

    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    public async ValueTask DisposeAsync()
    {
        if (!_stopping.IsCancellationRequested) await StopAsync();
        if (_guard.IsValueCreated) _guard.Value.Dispose();
        await _resourceService.DisposeAsync();
        _host.Dispose();
    }

    private Func<CancellationToken, Task<IInstance>>? LaunchOf(IResource resource, EnvironmentOfProject environment) => resource switch
    {
        RedisResource redis => _ => Task.FromResult<IInstance>(GarnetInstance.Start(redis)),
        ProjectResource project => async cancellationToken => ProjectProcess.Start(
            project.All<ProjectAnnotation>().Single().Metadata,
            await EnvironmentOfAsync(project, environment, cancellationToken),
            _guard.Value,
            (line, isError) => Logs.Write(project.Name, line, isError)),
        _ => null,
    };

    private async Task<IReadOnlyDictionary<string, string>> EnvironmentOfAsync(
        ProjectResource project, EnvironmentOfProject environment, CancellationToken cancellationToken)
    {
        var variables = await environment.BuildAsync(project, cancellationToken);
        if (project.Name != ResourceService.Dashboard) return variables;
        return variables.Concat(await _resourceService.EnvironmentAsync(cancellationToken)).ToDictionary();
    }

    private async Task AllHealthyAsync(CancellationToken cancellationToken)
    {
        var pending = _runners.Keys.ToHashSet();
        await foreach (var change in ResourceNotifications.WatchAsync(cancellationToken))
        {
            if (change.Snapshot.IsDown) throw new DistributedApplicationException(change.Snapshot.Reason!);
            if (change.Snapshot.HealthStatus == HealthStatus.Healthy) pending.Remove(change.ResourceId);
            if (pending.Count == 0) return;
        }
    }

    private IEnumerable<string> PublicAddresses() =>
        from resource in _resources
        from endpoint in resource.All<EndpointAnnotation>()
        where endpoint is { IsExternal: true, IsHttp: true }
        select new EndpointReference(resource, endpoint.Name).Url;

    // The first signal stops gracefully, the second at once.
    private sealed class Signals : IDisposable
    {
        private readonly List<PosixSignalRegistration> _registrations = [];

        public Signals(CancellationTokenSource shutdown, CancellationTokenSource hurry)
        {
            foreach (var signal in new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT })
            {
                _registrations.Add(PosixSignalRegistration.Create(signal, context =>
                {
                    context.Cancel = true;
                    (shutdown.IsCancellationRequested ? hurry : shutdown).Cancel();
                }));
            }
        }

        public void Dispose() => _registrations.ForEach(registration => registration.Dispose());
    }
}
