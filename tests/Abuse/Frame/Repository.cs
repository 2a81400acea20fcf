namespace WebRtcIms.Abuse.Frame;

/// <summary>The files of the repository around this program.</summary>
internal static class Repository
{
    private static readonly string Root = Find();

    public static string PathOf(string file) => Path.Combine(Root, file);

    /// <summary>The newest built program of a part.</summary>
    public static string ProgramOf(string name) =>
        Directory.Exists(PathOf($"{name}/bin"))
        && Directory.GetFiles(PathOf($"{name}/bin"), $"WebRtcIms.{name}", SearchOption.AllDirectories).MaxBy(File.GetLastWriteTimeUtc)
            is { } program
            ? program
            : throw new PartException($"{name} is not built: run dotnet build AppHost");

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "WebRtcIms.sln"))) return folder.FullName;
        }

        throw new DirectoryNotFoundException("WebRtcIms.sln is not above this program");
    }
}
