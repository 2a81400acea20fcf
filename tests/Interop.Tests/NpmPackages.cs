using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests;

/// <summary>Clients that the build installs from npm, each in a folder of this project.</summary>
internal static class NpmPackages
{
    /// <summary>Skips the test if the build could not install the package. If CI is set, the test fails instead.</summary>
    public static void Require(string folder, string package)
    {
        if (Directory.Exists(Path.Combine(PathOf(folder, "node_modules"), package))) return;
        var reason = $"{package} is not installed (npm ci in tests/Interop.Tests/{folder})";
        if (Environment.GetEnvironmentVariable("CI") is { Length: > 0 }) Assert.Fail(reason);
        Assert.Skip(reason);
    }

    public static string PathOf(string folder, string name) => Repository.PathOf("tests", "Interop.Tests", folder, name);
}
