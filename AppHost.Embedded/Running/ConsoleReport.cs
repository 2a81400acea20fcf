using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Running;

/// <summary>
/// What a person sees in the terminal: one line for each resource when it is up or down, and everything that the resources
/// print, behind their names. Colours only on a terminal, and not where NO_COLOR is set.
/// </summary>
internal sealed class ConsoleReport(IReadOnlyList<IResource> resources)
{
    public static readonly bool UsesColor = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is not { Length: > 0 };

    private static readonly string[] Colors = ["36", "33", "35", "34", "32", "96", "93", "95"];

    private readonly Lock _lock = new();
    private readonly int _width = resources.Select(resource => resource.Name.Length).DefaultIfEmpty().Max();

    public void Follow(ResourceLoggerService logs, ResourceNotificationService notifications)
    {
        logs.LineWritten += (resource, line) => Write(resource, $"| {line.Content}");
        notifications.Published += change =>
        {
            if (Sentence(change) is { } text) Write(change.ResourceId, text);
        };
    }

    public void Say(string text)
    {
        lock (_lock) Console.WriteLine(text);
    }

    public void Complain(string text)
    {
        lock (_lock) Console.Error.WriteLine(text);
    }

    private static string? Sentence(ResourceEvent change) => change.Snapshot switch
    {
        { HealthStatus: HealthStatus.Healthy } => $"> up{Addresses(change.Resource)}",
        { IsDown: true, Reason: { } reason } => $"> {reason}",
        _ => null,
    };

    private static string Addresses(IResource resource)
    {
        var urls = resource.All<EndpointAnnotation>().Select(endpoint => endpoint.Address).ToList();
        return urls.Count == 0 ? "" : $" at {string.Join(", ", urls)}";
    }

    private void Write(string resource, string text)
    {
        var name = resource.PadRight(_width);
        if (UsesColor) name = $"\e[{Colors[IndexOf(resource) % Colors.Length]}m{name}\e[0m";
        lock (_lock) Console.WriteLine($"{name} {text}");
    }

    private int IndexOf(string name) => resources.Select(resource => resource.Name).ToList().IndexOf(name) + 1;
}
