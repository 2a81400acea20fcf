using System.IO.Compression;
using System.Text.RegularExpressions;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Tests.Servers;

namespace WebRtcIms.Turn.Client.Tests;

/// <summary>The packages of the libraries, and the sample that uses them outside of the solution.</summary>
public sealed class PackageTests(OwnServer server) : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    // Such as Debug, as the tests were built.
    private static readonly string Configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("package-");

    private string Feed => Path.Combine(_folder.FullName, "feed");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    [Requirement("EXP-40")]
    public async Task PackedClient_ServesTheSampleOutsideTheSolution()
    {
        await PackAsync("Stun");
        await PackAsync("Turn.Client");
        await PackAsync("Turn.Engine");
        Assert.All(Directory.GetFiles(Feed, "*.nupkg"), AssertIsComplete);

        var sample = await BuildSampleAsync();
        var run = await RunAsync("exec", sample, $"{server.Udp}", OwnServer.User, OwnServer.Password);

        Assert.Matches(@"Relayed transport address: 127\.0\.0\.1:\d+, for 600 s", run);
    }

    // The code of Turn.Client/README.md, with the variables that it leaves to the reader.
    private static string ReadmeCode()
    {
        var readme = File.ReadAllText(Repository.PathOf("Turn.Client", "README.md"));
        var code = Regex.Match(readme, "```csharp\n(.*?)\n```", RegexOptions.Singleline).Groups[1].Value;
        Assert.NotEmpty(code);
        var usings = code.Split('\n').TakeWhile(line => line.StartsWith("using WebRtcIms.", StringComparison.Ordinal)).ToList();
        return $$"""
            {{string.Join('\n', usings)}}

            internal static class Readme
            {
                public static async Task RunAsync(string kid, byte[] token, byte[] macKey, System.Net.IPEndPoint peer, byte[] data)
                {
            {{string.Join('\n', code.Split('\n').Skip(usings.Count))}}
                }
            }
            """;
    }

    private async Task PackAsync(string project)
    {
        var output = await RunAsync("pack", Repository.PathOf(project), "--no-build", "-c", Configuration, "-o", Feed);
        Assert.DoesNotMatch(new Regex("warn", RegexOptions.IgnoreCase), output);
    }

    private static void AssertIsComplete(string package)
    {
        using var archive = ZipFile.OpenRead(package);
        var files = archive.Entries.Select(entry => entry.FullName).ToList();
        Assert.Contains("README.md", files);
        Assert.Contains("LICENSE", files);
        Assert.Contains(files, file => Regex.IsMatch(file, @"^lib/net10\.0/WebRtcIms\..*\.dll$"));
        Assert.Contains(files, file => Regex.IsMatch(file, @"^lib/net10\.0/WebRtcIms\..*\.xml$"));
        Assert.True(File.Exists(Path.ChangeExtension(package, "snupkg")), $"{package} has no symbols");
    }

    /// <summary>Builds a copy of the sample, so that it cannot use anything of the repository; the path of its assembly.</summary>
    private async Task<string> BuildSampleAsync()
    {
        var copy = Path.Combine(_folder.FullName, "turn-client");
        Directory.CreateDirectory(copy);
        foreach (var file in Directory.GetFiles(Repository.PathOf("samples", "turn-client")))
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        await File.WriteAllTextAsync(Path.Combine(copy, "Readme.cs"), ReadmeCode());
        await RunAsync("restore", copy, "--source", Feed, "--packages", Path.Combine(_folder.FullName, "packages"));
        await RunAsync("build", copy, "--no-restore", "-o", Path.Combine(copy, "out"), "-warnaserror", "-p:UseSharedCompilation=false");
        return Path.Combine(copy, "out", "turn-client.dll");
    }

    private static async Task<string> RunAsync(params string[] arguments)
    {
        var result = await Command.RunAsync("dotnet", arguments, Limit, ("MSBUILDDISABLENODEREUSE", "1"), ("DOTNET_NOLOGO", "1"));
        Assert.True(result.ExitCode == 0, $"dotnet {string.Join(' ', arguments)}:\n{result.Output}");
        return result.Output;
    }
}
