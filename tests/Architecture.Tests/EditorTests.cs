using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace WebRtcIms.Architecture.Tests;

/// <summary>The settings for VS Code name programs, profiles and tasks that exist, and CONTRIBUTING.md names entries that exist.</summary>
public sealed partial class EditorTests
{
    private static readonly JsonElement Launch = JsonElement.Parse(Repository.Read(".vscode/launch.json"));

    private static readonly List<JsonElement> Entries = [.. Launch.GetProperty("configurations").EnumerateArray()];

    private static readonly HashSet<string> Tasks =
        [.. JsonElement.Parse(Repository.Read(".vscode/tasks.json")).GetProperty("tasks").EnumerateArray()
            .Select(task => Text(task, "label")!)];

    [Fact]
    public void Programs_AreWhatTheBuildMakes() => Problems.None(
        from entry in Entries
        where Text(entry, "program") is not null
        let path = InWorkspace(Text(entry, "program")!).Split('/')
        where path is not [var project, "bin", "Debug", var framework, var file]
            || file != $"WebRtcIms.{project}.dll" || framework != TargetFramework() || !Products.Allowed.ContainsKey(project)
        select $"{Text(entry, "name")}: {string.Join('/', path)}");

    [Fact]
    public void ProfilesAndTasks_Exist() => Problems.None(
        (from entry in Entries
         where Text(entry, "launchSettingsProfile") is not null
         let settings = JsonElement.Parse(Repository.Read(InWorkspace(Text(entry, "launchSettingsFilePath")!)))
         where !settings.GetProperty("profiles").TryGetProperty(Text(entry, "launchSettingsProfile")!, out _)
         select $"{Text(entry, "name")}: no such profile").Concat(
        from entry in Entries.Concat(Launch.GetProperty("compounds").EnumerateArray())
        where Text(entry, "preLaunchTask") is { } task && !Tasks.Contains(task)
        select $"{Text(entry, "name")}: no such task"));

    [Fact]
    public void EachService_CanBeAttached_ByItselfAndWithAllOthers()
    {
        var attached = Entries.Where(entry => Text(entry, "processName") is not null).ToDictionary(entry => Text(entry, "name")!);
        var services = Products.EachService.Select(row => row.Data).Order().ToList();

        Assert.Equal(
            services.Select(service => $"WebRtcIms.{service}"), attached.Values.Select(entry => Text(entry, "processName")!).Order());
        var compound = Assert.Single(Launch.GetProperty("compounds").EnumerateArray());
        Assert.Equal(
            attached.Keys.Order(), compound.GetProperty("configurations").EnumerateArray().Select(name => name.GetString()!).Order());
    }

    [Fact]
    public void EntriesThatTheDocumentNames_Exist()
    {
        var names = Entries.Concat(Launch.GetProperty("compounds").EnumerateArray()).Select(entry => Text(entry, "name")!).ToHashSet();
        var named = Named().Matches(Repository.Read("CONTRIBUTING.md")).Select(name => name.Groups[1].Value).ToList();

        Assert.NotEmpty(named);
        Problems.None(named.Where(name => !names.Contains(name)));
    }

    private static string? Text(JsonElement entry, string name) => entry.TryGetProperty(name, out var value) ? value.GetString() : null;

    private static string InWorkspace(string path) => path["${workspaceFolder}/".Length..];

    private static string TargetFramework() =>
        XDocument.Parse(Repository.Read("Directory.Build.props")).Descendants("TargetFramework").Single().Value;

    [GeneratedRegex(@"\*(Attach to [^*]+|WebRtcIms, [^*]+)\*")]
    private static partial Regex Named();
}
