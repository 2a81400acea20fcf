using System.Text.Json;
using System.Text.RegularExpressions;

namespace WebRtcIms.Deploy.Tests;

/// <summary>The model of the AppHost, as its manifest for deployments has it.</summary>
internal static partial class AppHostModel
{
    private static readonly Lazy<Task<IReadOnlyList<(string From, string To)>>> Arrows = new(ReadAsync);

    /// <summary>Which resource has the address of which other one in its environment.</summary>
    public static Task<IReadOnlyList<(string From, string To)>> ArrowsAsync() => Arrows.Value;

    private static async Task<IReadOnlyList<(string From, string To)>> ReadAsync()
    {
        var resources = await PublishAsync();
        var arrows = from part in Parts.Projects.Keys
                     from variable in resources.GetProperty(part).GetProperty("env").EnumerateObject()
                     from Match reference in Reference().Matches(variable.Value.GetString()!)
                     let target = ServerOf(resources, reference.Groups[1].Value)
                     where target != part
                     select (part, target);
        return [.. arrows.Distinct()];
    }

    // A database is a resource of its own, whose connection string refers to its server.
    private static string ServerOf(JsonElement resources, string name) =>
        resources.GetProperty(name).TryGetProperty("connectionString", out var text)
        && Reference().Match(text.GetString()!) is { Success: true } match && match.Groups[1].Value != name
            ? ServerOf(resources, match.Groups[1].Value) : name;

    private static async Task<JsonElement> PublishAsync()
    {
        var folder = Directory.CreateTempSubdirectory("webrtcims-model-");
        try
        {
            var path = Path.Combine(folder.FullName, "manifest.json");
            await using var host = HostProcess.Start(
                typeof(Projects.AppHost).Assembly, folder, "--publisher", "manifest", "--output-path", path);
            Assert.True(await host.WaitForExitAsync() == 0, host.Output);
            return JsonElement.Parse(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken)).GetProperty("resources");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [GeneratedRegex(@"\{([a-z-]+)\.(?:bindings|connectionString)")]
    private static partial Regex Reference();
}
