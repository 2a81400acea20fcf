namespace WebRtcIms.Tests.Common;

/// <summary>Programs that some tests need and that this repository does not contain: coturn's tools, Chromium, redis-server.</summary>
public static class Tools
{
    /// <summary>
    /// Returns the path of the program. If it is missing, the test is skipped with the reason. If CI is set, the test fails instead,
    /// because a pipeline must not silently skip tests.
    /// </summary>
    public static string Require(string program, string package)
    {
        var path = Find(program);
        if (path is not null) return path;
        var reason = $"{program} is not installed (Debian package {package})";
        if (Environment.GetEnvironmentVariable("CI") is { Length: > 0 }) Assert.Fail(reason);
        Assert.Skip(reason);
        return program;
    }

    private static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Append("/usr/sbin")
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);
}
