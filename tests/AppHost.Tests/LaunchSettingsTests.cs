using System.Text.Json;

namespace WebRtcIms.AppHost.Tests;

/// <summary>The parts of this repository run together, so each needs ports of its own.</summary>
public sealed class LaunchSettingsTests
{
    [Fact]
    public void EveryPart_HasAPortOfItsOwn()
    {
        var files = Directory.GetDirectories(Path.GetDirectoryName(Projects.AppHost.ProjectPath)!)
            .Select(part => Path.Combine(part, "Properties", "launchSettings.json")).Where(File.Exists).ToList();
        var ports = files.SelectMany(file => Urls(file).Select(url => new Uri(url).Port).Distinct()).ToList();

        Assert.True(files.Count >= 6, string.Join(", ", files));
        Assert.Equal(ports.Distinct(), ports);
    }

    private static IEnumerable<string> Urls(string file)
    {
        using var settings = JsonDocument.Parse(File.ReadAllText(file));
        foreach (var profile in settings.RootElement.GetProperty("profiles").EnumerateObject())
        {
            foreach (var url in profile.Value.GetProperty("applicationUrl").GetString()!.Split(';')) yield return url;
        }
    }
}
