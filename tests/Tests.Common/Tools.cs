namespace WebRtcIms.Tests.Common;

/// <summary>Programs that some tests need and that this project does not bring along: coturn's tools, Chromium, redis-server.</summary>
public static class Tools
{
    /// <summary>
    /// The program's path. Where it is missing the test is skipped with the reason; where CI is set it fails, because a
    /// pipeline that silently tests less proves nothing.
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
