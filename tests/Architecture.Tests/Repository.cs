using System.ComponentModel;
using System.Diagnostics;
using System.Xml.Linq;

namespace WebRtcIms.Architecture.Tests;

/// <summary>The files of this repository.</summary>
internal static class Repository
{
    private static readonly string[] Ignored = [".git", ".data", "bin", "obj", "node_modules", "dist"];

    public static string Root { get; } = FindRoot();

    /// <summary>The tracked files that exist, as paths with slashes.</summary>
    public static IReadOnlyList<string> Files { get; } = ListFiles();

    public static string PathOf(string file) => Path.Combine(Root, file);

    public static string Read(string file) => File.ReadAllText(PathOf(file));

    /// <summary>The projects that a project refers to.</summary>
    public static IEnumerable<string> ReferencesOf(string project) =>
        from reference in XDocument.Load(PathOf($"{project}/{project}.csproj")).Descendants("ProjectReference")
        where reference.Attribute("Include") is not null
        select Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/'));

    /// <summary>The namespaces that all files of a project import.</summary>
    public static IEnumerable<string> UsingsOf(string project) =>
        from item in XDocument.Load(PathOf($"{project}/{project}.csproj")).Descendants("Using")
        select $"global using {item.Attribute("Include")!.Value};";

    // Untracked files that are not ignored count: new code is checked before it is committed.
    private static List<string> ListFiles()
    {
        var files = ListWithGit() ?? Walk(Root);
        return [.. files.Distinct().Where(file => File.Exists(PathOf(file)))];
    }

    private static string[]? ListWithGit()
    {
        try
        {
            using var git = Process.Start(new ProcessStartInfo("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            {
                WorkingDirectory = Root,
                RedirectStandardOutput = true,
            })!;
            var output = git.StandardOutput.ReadToEnd();
            git.WaitForExit();
            return git.ExitCode == 0 ? output.Split('\0', StringSplitOptions.RemoveEmptyEntries) : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    // A source archive has no git.
    private static IEnumerable<string> Walk(string folder) =>
        Directory.EnumerateFiles(folder).Select(file => Path.GetRelativePath(Root, file).Replace('\\', '/')).Concat(
            Directory.EnumerateDirectories(folder).Where(each => !Ignored.Contains(Path.GetFileName(each))).SelectMany(Walk));

    private static string FindRoot()
    {
        for (var current = new DirectoryInfo(AppContext.BaseDirectory); current is not null; current = current.Parent)
        {
            if (File.Exists(Path.Combine(current.FullName, "WebRtcIms.sln"))) return current.FullName;
        }

        throw new DirectoryNotFoundException("WebRtcIms.sln is not at or above the test");
    }
}
