using System.Xml.Linq;

namespace WebRtcIms.Tests.Common;

/// <summary>Files of the repository that tests read, such as documents and samples.</summary>
public static class Repository
{
    /// <summary>The folder with the solution.</summary>
    public static string Root { get; } = Find();

    /// <summary>The version of all parts and their images.</summary>
    public static string Version =>
        XDocument.Load(PathOf("Version.props")).Descendants("VersionPrefix").Single().Value;

    public static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    private static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "WebRtcIms.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException($"{AppContext.BaseDirectory} is not in the repository");
    }
}
