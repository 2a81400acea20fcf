using System.Text.RegularExpressions;

namespace WebRtcIms.Architecture.Tests;

/// <summary>Documents only name files and folders that exist.</summary>
public sealed partial class DocumentTests
{
    [Fact]
    public void Links_LeadToFiles() => Problems.None(
        from document in Documents()
        from Match link in Link().Matches(Repository.Read(document))
        let target = Path.Combine(FolderOf(document), link.Groups[1].Value)
        where !Path.Exists(target)
        select $"{document}: {link.Groups[1].Value}");

    [Fact]
    public void FoldersOfATable_Exist() => Problems.None(
        from document in Documents()
        from Match row in FolderRow().Matches(Repository.Read(document))
        where !Directory.Exists(Path.Combine(FolderOf(document), row.Groups[1].Value))
        select $"{document}: {row.Groups[1].Value}");

    private static IEnumerable<string> Documents() => Repository.Files.Where(file => file.EndsWith(".md", StringComparison.Ordinal));

    private static string FolderOf(string document) => Path.GetDirectoryName(Repository.PathOf(document))!;

    [GeneratedRegex(@"\]\((?![a-z]+:|#)([^)#\s]+)[^)]*\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^\| `([\w./-]+/)` \|", RegexOptions.Multiline)]
    private static partial Regex FolderRow();
}
