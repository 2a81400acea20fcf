using Aspire.Hosting.Running;

namespace Aspire.Hosting.ApplicationModel;

public static class KnownResourceCommands
{
    public static readonly string StartCommand = "start";
    public static readonly string StopCommand = "stop";
    public static readonly string RestartCommand = "restart";
}

public sealed record ExecuteCommandResult
{
    public required bool Success { get; init; }

    public string? ErrorMessage { get; init; }
}

/// <summary>Stops and starts single resources of a running application; ports and passwords stay the same.</summary>
public sealed class ResourceCommandService
{
    private readonly IReadOnlyDictionary<string, ResourceRunner> _runners;

    internal ResourceCommandService(IReadOnlyDictionary<string, ResourceRunner> runners) => _runners = runners;

    /// <summary>
    /// Returns when it is done: stopped, or started (which is not yet healthy). A start waits for what the resource waits for.
    /// </summary>
    public async Task<ExecuteCommandResult> ExecuteCommandAsync(
        string resourceId, string commandName, CancellationToken cancellationToken = default)
    {
        if (!_runners.TryGetValue(resourceId, out var runner)) return Failed($"There is no resource '{resourceId}' that runs.");
        if (commandName != KnownResourceCommands.StartCommand
            && commandName != KnownResourceCommands.StopCommand
            && commandName != KnownResourceCommands.RestartCommand) return Failed($"There is no command '{commandName}'.");

        if (commandName != KnownResourceCommands.StartCommand) await runner.StopAsync(cancellationToken);
        if (commandName == KnownResourceCommands.StopCommand) return new ExecuteCommandResult { Success = true };
        return await runner.StartAsync(cancellationToken) is { } problem ? Failed(problem) : new ExecuteCommandResult { Success = true };
    }

    private static ExecuteCommandResult Failed(string message) => new() { Success = false, ErrorMessage = message };
}
