namespace WebRtcIms.Tests.Common;

/// <summary>The parts of the system as programs.</summary>
public static class Parts
{
    /// <summary>The name of each part, as that of its resource in the AppHost, and its project.</summary>
    public static readonly IReadOnlyDictionary<string, string> Projects = new Dictionary<string, string>
    {
        ["waf"] = "Waf",
        ["wwsf"] = "Wwsf",
        ["ep-cscf"] = "EpCscf",
        ["turn"] = "Turn",
        ["wic-web"] = "WicWeb",
        ["flow-view"] = "FlowView",
    };

    // Configuration and framework, such as Debug/net10.0, as the tests were built.
    private static readonly string[] Built =
        AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar)[^2..];

    /// <summary>The folder with what the build has made of a project.</summary>
    public static string OutputOf(string project) => Repository.PathOf([project, "bin", .. Built]);

    /// <summary>The program of a project, for <c>dotnet exec</c>.</summary>
    public static string ProgramOf(string project) => Path.Combine(OutputOf(project), $"WebRtcIms.{project}.dll");
}
