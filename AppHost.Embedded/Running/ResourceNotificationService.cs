using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>The states that a resource goes through.</summary>
public static class KnownResourceStates
{
    public static readonly string NotStarted = "NotStarted";
    public static readonly string Waiting = "Waiting";
    public static readonly string Starting = "Starting";
    public static readonly string Running = "Running";
    public static readonly string Stopping = "Stopping";

    /// <summary>Its process has ended, by itself or because it was told to.</summary>
    public static readonly string Exited = "Exited";
    public static readonly string FailedToStart = "FailedToStart";
}

public sealed record ResourceStateSnapshot(string Text, string? Style = null);

/// <summary>What is known of a resource at one moment.</summary>
public sealed record CustomResourceSnapshot
{
    public ResourceStateSnapshot? State { get; init; }

    /// <summary>Null while it is not running, and until its health check has answered for the first time as wanted.</summary>
    public HealthStatus? HealthStatus { get; init; }

    public int? ExitCode { get; init; }

    /// <summary>A sentence for people: why it is not up.</summary>
    internal string? Reason { get; init; }

    internal bool IsDown => State?.Text == KnownResourceStates.Exited || State?.Text == KnownResourceStates.FailedToStart;
}

public sealed record ResourceEvent(IResource Resource, string ResourceId, CustomResourceSnapshot Snapshot);

/// <summary>The state of every resource, and waiting for one.</summary>
public sealed class ResourceNotificationService
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, ResourceEvent> _latest = [];
    private readonly List<Channel<ResourceEvent>> _watchers = [];

    internal event Action<ResourceEvent>? Published;

    /// <summary>The latest event of every resource, and then what comes, until cancelled.</summary>
    public async IAsyncEnumerable<ResourceEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var watcher = Channel.CreateUnbounded<ResourceEvent>();
        lock (_lock)
        {
            foreach (var latest in _latest.Values) watcher.Writer.TryWrite(latest);
            _watchers.Add(watcher);
        }

        try
        {
            await foreach (var change in watcher.Reader.ReadAllAsync(cancellationToken)) yield return change;
        }
        finally
        {
            lock (_lock) _watchers.Remove(watcher);
        }
    }

    /// <summary>Waits until the resource is healthy.</summary>
    /// <exception cref="DistributedApplicationException">It has ended or could not start, and so never will be.</exception>
    public Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, CancellationToken cancellationToken = default) =>
        WaitForResourceAsync(
            resourceName,
            change => change.Snapshot.IsDown
                ? throw new DistributedApplicationException(change.Snapshot.Reason ?? $"{resourceName} is not running.")
                : change.Snapshot.HealthStatus == HealthStatus.Healthy,
            cancellationToken);

    /// <summary>Waits for a state of <see cref="KnownResourceStates"/>.</summary>
    public async Task WaitForResourceAsync(string resourceName, string? targetState = null, CancellationToken cancellationToken = default) =>
        await WaitForResourceAsync(
            resourceName, change => change.Snapshot.State?.Text == (targetState ?? KnownResourceStates.Running), cancellationToken);

    public async Task<ResourceEvent> WaitForResourceAsync(
        string resourceName, Func<ResourceEvent, bool> predicate, CancellationToken cancellationToken = default)
    {
        await foreach (var change in WatchAsync(cancellationToken))
        {
            if (change.ResourceId == resourceName && predicate(change)) return change;
        }

        throw new OperationCanceledException(cancellationToken);
    }

    internal ResourceEvent? Latest(string resourceName)
    {
        lock (_lock) return _latest.GetValueOrDefault(resourceName);
    }

    internal void Publish(IResource resource, CustomResourceSnapshot snapshot)
    {
        var change = new ResourceEvent(resource, resource.Name, snapshot);
        lock (_lock)
        {
            _latest[resource.Name] = change;
            foreach (var watcher in _watchers) watcher.Writer.TryWrite(change);
            Published?.Invoke(change);
        }
    }
}
