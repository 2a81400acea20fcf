using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Running;

/// <summary>
/// Runs one resource: waits for those before it, starts it, watches until it is healthy and until it ends. It never starts
/// anything again by itself: an end that nobody asked for is said, and the next start is a person's decision.
/// </summary>
internal sealed class ResourceRunner(
    IResource resource, Func<CancellationToken, Task<IInstance>> launch, ResourceNotificationService notifications) : IDisposable
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(3.5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);
    private static readonly HttpClient Probe = new() { Timeout = TimeSpan.FromSeconds(5) };

    private readonly SemaphoreSlim _gate = new(1, 1);
    private IInstance? _instance;

    /// <summary>Takes sentences about what takes long.</summary>
    public Action<string>? Notice { get; init; }

    public void Prepare() => Publish(KnownResourceStates.NotStarted);

    /// <summary>Returns null when it is started, which is not yet healthy, else why it is not.</summary>
    public async Task<string?> StartAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (_instance is not null) return null;
            Publish(KnownResourceStates.Waiting);
            if (await WaitForOthersAsync(cancellationToken) is { } absent) return Fail($"{resource.Name} was not started, because {absent} is not up.");

            Publish(KnownResourceStates.Starting);
            var instance = await launch(cancellationToken);
            _instance = instance;
            var probe = resource.All<HttpHealthCheckAnnotation>().FirstOrDefault();
            Publish(KnownResourceStates.Running, probe is null ? HealthStatus.Healthy : null);
            _ = WatchEndAsync(instance);
            if (probe is not null) _ = WatchHealthAsync(instance, probe);
            return null;
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            return Fail($"{resource.Name} could not be started: {error.Message}");
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <param name="hurry">When cancelled, the process is ended without waiting for it to end by itself.</param>
    public async Task StopAsync(CancellationToken hurry)
    {
        await _gate.WaitAsync(CancellationToken.None);
        try
        {
            if (Interlocked.Exchange(ref _instance, null) is not { } instance) return;
            Publish(KnownResourceStates.Stopping);
            await instance.StopAsync(Grace, hurry);
            Publish(KnownResourceStates.Exited, reason: $"{resource.Name} was stopped.", exitCode: await instance.Completion);
        }
        finally
        {
            _gate.Release();
        }
    }

    public void Dispose() => _gate.Dispose();

    // Null: all are as this one needs them; else one that will not be.
    private async Task<string?> WaitForOthersAsync(CancellationToken cancellationToken)
    {
        foreach (var wait in resource.All<WaitAnnotation>())
        {
            var change = await notifications.WaitForResourceAsync(
                wait.Resource.Name, change => change.Snapshot.IsDown || Suffices(wait.WaitType, change.Snapshot), cancellationToken);
            if (change.Snapshot.IsDown) return wait.Resource.Name;
        }

        return null;
    }

    private static bool Suffices(WaitType wait, CustomResourceSnapshot snapshot) => wait switch
    {
        WaitType.WaitUntilStarted => snapshot.State?.Text == KnownResourceStates.Running,
        _ => snapshot.HealthStatus == HealthStatus.Healthy,
    };

    private async Task WatchEndAsync(IInstance instance)
    {
        var exitCode = await instance.Completion;
        if (Interlocked.CompareExchange(ref _instance, null, instance) != instance) return;
        Publish(KnownResourceStates.Exited, reason: $"{resource.Name} exited by itself with code {exitCode}.", exitCode: exitCode);
    }

    private async Task WatchHealthAsync(IInstance instance, HttpHealthCheckAnnotation check)
    {
        var endpoint = resource.All<EndpointAnnotation>().First(endpoint => check.EndpointName is { } name ? endpoint.Name == name : endpoint.IsHttp);
        var address = new Uri(new Uri(new EndpointReference(resource, endpoint.Name).Url), check.Path);
        var nextNotice = Patience;
        var started = TimeProvider.System.GetTimestamp();
        while (ReferenceEquals(_instance, instance))
        {
            var answer = await AskAsync(address, check.StatusCode);
            if (answer is null)
            {
                if (ReferenceEquals(_instance, instance)) Publish(KnownResourceStates.Running, HealthStatus.Healthy);
                return;
            }

            if (TimeProvider.System.GetElapsedTime(started) > nextNotice)
            {
                Notice?.Invoke($"{resource.Name} is not healthy after {nextNotice.TotalSeconds:0} s: {address} {answer}");
                nextNotice += Patience;
            }

            await Task.Delay(PollInterval, TimeProvider.System);
        }
    }

    // Null: it answered as wanted.
    private static async Task<string?> AskAsync(Uri address, int expected)
    {
        try
        {
            using var response = await Probe.GetAsync(address);
            if ((int)response.StatusCode == expected) return null;
            return $"answered {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}";
        }
        catch (Exception error) when (error is HttpRequestException or OperationCanceledException)
        {
            return "does not answer";
        }
    }

    private string Fail(string reason)
    {
        Publish(KnownResourceStates.FailedToStart, reason: reason);
        return reason;
    }

    private void Publish(string state, HealthStatus? health = null, string? reason = null, int? exitCode = null) =>
        notifications.Publish(resource, new CustomResourceSnapshot
        {
            State = new ResourceStateSnapshot(state),
            HealthStatus = health,
            Reason = reason,
            ExitCode = exitCode,
        });
}
