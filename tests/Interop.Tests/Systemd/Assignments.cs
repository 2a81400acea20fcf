namespace WebRtcIms.Interop.Tests.Systemd;

/// <summary>The lines <c>Name=value</c> of a unit or of an environment file.</summary>
internal static class Assignments
{
    public static IEnumerable<(string Name, string Value)> In(string file) =>
        from line in File.ReadLines(file)
        where line is [not ('#' or ';' or '['), ..]
        let end = line.IndexOf('=', StringComparison.Ordinal)
        select (line[..end], line[(end + 1)..]);

    public static string Of(string file, string name) => In(file).Single(assignment => assignment.Name == name).Value;
}
