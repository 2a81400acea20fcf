using System.Text.Json;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>
/// The launch profile with which a project is run: its environment and its addresses. The profile that the host itself was
/// launched with, if the project has one of that name, else the first that runs the project.
/// </summary>
internal sealed record LaunchProfile(string Name, IReadOnlyList<Uri> Urls, IReadOnlyDictionary<string, string> Environment)
{
    public const string RelativePath = "Properties/launchSettings.json";

    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    public static LaunchProfile? Find(string projectDirectory, string? preferredName)
    {
        var path = Path.Combine(projectDirectory, RelativePath);
        if (!File.Exists(path)) return null;

        using var document = JsonDocument.Parse(File.ReadAllText(path), Lenient);
        if (!document.RootElement.TryGetProperty("profiles", out var profiles)) return null;
        var runnable = profiles.EnumerateObject()
            .Where(profile => Text(profile.Value, "commandName") == "Project")
            .ToList();
        if (runnable.Count == 0) return null;

        var chosen = runnable.FindIndex(profile => profile.Name == preferredName);
        return Read(runnable[Math.Max(chosen, 0)]);
    }

    private static LaunchProfile Read(JsonProperty profile)
    {
        var urls = (Text(profile.Value, "applicationUrl") ?? "")
            .Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(url => new Uri(url));
        var environment = profile.Value.TryGetProperty("environmentVariables", out var variables)
            ? variables.EnumerateObject().ToDictionary(variable => variable.Name, variable => variable.Value.GetString() ?? "")
            : [];
        return new LaunchProfile(profile.Name, [.. urls], environment);
    }

    private static string? Text(JsonElement profile, string name) =>
        profile.TryGetProperty(name, out var value) ? value.GetString() : null;
}
