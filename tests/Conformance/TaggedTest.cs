using System.Text.RegularExpressions;

namespace WebRtcIms.Conformance;

/// <summary>A test and one of its <c>[Requirement]</c> tags, as they stand in the source.</summary>
/// <param name="Tag">The clause or case.</param>
/// <param name="File">The path in the repository.</param>
/// <param name="Name">The method, or the class when the tag is on the class.</param>
internal sealed partial record TaggedTest(string Tag, string File, string Name)
{
    /// <summary>File and method, without folders.</summary>
    public string DisplayName => $"{Path.GetFileNameWithoutExtension(File)}.{Name}";

    /// <exception cref="FormatException">A tag stands before nothing that is a test.</exception>
    public static IEnumerable<TaggedTest> FindAll(string repository) =>
        from folder in Directory.EnumerateDirectories(Path.Combine(repository, "tests"), "*.Tests")
        from file in Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
        let path = Path.GetRelativePath(repository, file).Replace('\\', '/')
        where !path.Contains("/obj/", StringComparison.Ordinal) && !path.Contains("/bin/", StringComparison.Ordinal)
        from test in Read(path, System.IO.File.ReadLines(file))
        select test;

    // Attributes stand on lines of their own before the method or class that they belong to.
    private static IEnumerable<TaggedTest> Read(string path, IEnumerable<string> lines)
    {
        List<string> tags = [];
        foreach (var line in lines)
        {
            if (Tags().Match(line) is { Success: true } tag) tags.Add(tag.Groups[1].Value);
            if (Declaration().Match(line) is not { Success: true } declaration)
            {
                if (tags.Count > 0 && !IsBetween(line))
                    throw new FormatException($"{path}: the tag {tags[0]} belongs to no test that can be found, but to '{line.Trim()}'");
                continue;
            }

            foreach (var each in tags) yield return new TaggedTest(each, path, declaration.Groups[1].Value);
            tags.Clear();
        }

        if (tags.Count > 0) throw new FormatException($"{path}: the tag {tags[0]} belongs to no test that can be found");
    }

    // Further attributes, whose arguments may take several lines, and remarks may stand between a tag and its test.
    private static bool IsBetween(string line) => !Member().IsMatch(line);

    [GeneratedRegex("""^\s*(?:public|internal|private|protected|static|sealed|async|void|class)\b""")]
    private static partial Regex Member();

    [GeneratedRegex("""^\s*\[Requirement\("([^"]+)"\)\]""")]
    private static partial Regex Tags();

    [GeneratedRegex(
        """^\s*(?:public|internal) (?:(?:sealed|static|abstract|partial|override|async) )*(?:class|void|Task|ValueTask) (\w+)""")]
    private static partial Regex Declaration();
}
