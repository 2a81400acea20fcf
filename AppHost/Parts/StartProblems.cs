using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace WebRtcIms.AppHost;

/// <summary>
/// Writes to the console why the application is not up: the last lines of a part that ended, and after a while the state of each part
/// that is not ready. Aspire itself shows this only in the dashboard.
/// </summary>
internal sealed class StartProblems(IReadOnlyList<IResource> parts, ResourceNotificationService notifications, ResourceLoggerService logs)
{
    private const int Lines = 10;

    // The runtime writes it before the exception and its stack trace.
    private const string UnhandledException = "Unhandled exception.";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Reports until every part was healthy once. Begins before Aspire starts the parts, because Aspire waits for them.</summary>
    public static void Report(IDistributedApplicationBuilder builder) =>
        builder.Eventing.Subscribe<BeforeStartEvent>((start, cancel) =>
        {
            if (!builder.ExecutionContext.IsRunMode) return Task.CompletedTask;
            List<IResource> parts =
                [.. start.Model.Resources.Where(part => part is ProjectResource or GarnetResource or ContainerResource)];
            var problems = new StartProblems(
                parts,
                start.Services.GetRequiredService<ResourceNotificationService>(),
                start.Services.GetRequiredService<ResourceLoggerService>());
            _ = problems.ReportAsync(start.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);
            return Task.CompletedTask;
        });

    private async Task ReportAsync(CancellationToken stopping)
    {
        using var starting = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var reports = Task.WhenAll(ReportEndsAsync(starting.Token), ReportStatesAsync(TimeProvider.System, starting.Token));
        await Task.WhenAll(parts.Select(part => notifications.WaitForResourceHealthyAsync(
            part.Name, WaitBehavior.WaitOnResourceUnavailable, stopping)));
        await starting.CancelAsync();
        await reports.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task ReportEndsAsync(CancellationToken cancellationToken)
    {
        HashSet<string> reported = [];
        await foreach (var change in notifications.WatchAsync(cancellationToken))
        {
            if (!IsEnd(change.Snapshot) || !reported.Add(change.ResourceId)) continue;
            var exit = change.Snapshot.ExitCode is { } code ? $" with exit code {code}" : "";
            var lines = await LastLinesAsync(change.ResourceId, cancellationToken);
            await Console.Error.WriteLineAsync(
                string.Join(Environment.NewLine, [$"{change.Resource.Name} ended{exit} before the application was up.", .. lines]));
        }
    }

    private async Task ReportStatesAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Patience, time);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            var states = from part in parts
                         let state = StateOf(part)
                         where state is not null
                         select $"{part.Name} ({state})";
            await Console.Error.WriteLineAsync($"WebRtcIms is not up yet. Not ready: {string.Join(", ", states)}.");
        }
    }

    // Null for a part that is healthy.
    private string? StateOf(IResource part)
    {
        if (!notifications.TryGetCurrentState(part.Name, out var current)) return "not created";
        var (state, health) = (current.Snapshot.State?.Text ?? "not started", current.Snapshot.HealthStatus);
        if (state != KnownResourceStates.Running) return state;
        return health == HealthStatus.Healthy ? null : $"{state}, {health}";
    }

    private static bool IsEnd(CustomResourceSnapshot snapshot) =>
        KnownResourceStates.TerminalStates.Contains(snapshot.State?.Text) && snapshot.ExitCode is not 0;

    private async Task<IEnumerable<string>> LastLinesAsync(string resource, CancellationToken cancellationToken)
    {
        List<string> lines = [];
        await foreach (var batch in logs.GetAllAsync(resource).WithCancellation(cancellationToken))
            lines.AddRange(batch.Select(line => $"  {line.Content}"));
        // Each line begins with its time. Those of the orchestrator come in another order.
        return ReasonIn(
            [.. lines.OrderBy(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(), StringComparer.Ordinal)]);
    }

    /// <summary>The lines that say why a part ended: the last ones, or those from an exception on, whose stack trace may be long.</summary>
    internal static IEnumerable<string> ReasonIn(IReadOnlyList<string> lines) =>
        lines.Index().LastOrDefault(line => line.Item.Contains(UnhandledException, StringComparison.Ordinal)) is { Item: not null } thrown
            ? lines.Skip(thrown.Index).Take(Lines)
            : lines.TakeLast(Lines);
}
