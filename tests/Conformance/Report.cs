using System.Globalization;
using System.Text;

namespace WebRtcIms.Conformance;

/// <summary>docs/conformance.md: every requirement with the tests that prove it.</summary>
public static class Report
{
    private static readonly (string Prefix, string Title)[] Parts =
    [
        ("TURN-A", "STUN base, RFC 8489"),
        ("TURN-B", "TURN, RFC 8656"),
        ("TURN-C", "TCP allocations, RFC 6062"),
        ("TURN-D", "Mobility, RFC 8016"),
        ("TURN-E", "Transports and addresses"),
        ("TURN-F", "Test vectors"),
        ("TURN-G", "Third-party authorization, RFC 7635"),
        ("ABUSE-", "Abuse and bad input"),
    ];

    public static string PathIn(string repository) => Path.Combine(repository, "docs", "conformance.md");

    /// <summary>The folder with the solution, at or above <paramref name="folder"/>.</summary>
    public static string FindRepository(string folder)
    {
        for (var current = new DirectoryInfo(folder); current is not null; current = current.Parent)
        {
            if (File.Exists(Path.Combine(current.FullName, "WebRtcIms.sln"))) return current.FullName;
        }

        throw new DirectoryNotFoundException($"no WebRtcIms.sln at or above {folder}");
    }

    /// <summary>The document as the tags give it.</summary>
    /// <exception cref="FormatException">A tag names a line that requirements.csv has not, or the list is malformed.</exception>
    public static string Generate(string repository)
    {
        var requirements = Requirement.ReadAll(Path.Combine(repository, "tests", "Conformance", "requirements.csv"));
        var tests = TaggedTest.FindAll(repository).ToLookup(test => test.Tag);
        var listed = requirements.Select(requirement => requirement.Id).ToHashSet();
        var unknown = tests.Select(test => test.Key).Where(tag => Parts.Any(part => tag.StartsWith(part.Prefix, StringComparison.Ordinal)) && !listed.Contains(tag));
        if (unknown.FirstOrDefault() is { } mistake) throw new FormatException($"a test is tagged {mistake}, which requirements.csv has not");

        var text = new StringBuilder();
        text.Append(
            """
            # Conformance of the TURN server

            Generated from the `[Requirement]` tags of the tests and from `tests/Conformance/requirements.csv` by
            `dotnet run --project tests/Conformance`; a test fails when this file is not what they give. Levels: M is MUST, S is
            SHOULD, O is optional, - is a rule of this project. A line is *tested* when at least one test of the suite is tagged with
            it, and *open* when none is: then nothing here proves that it is fulfilled.


            """);
        foreach (var (prefix, title) in Parts)
            WritePart(text, title, [.. requirements.Where(requirement => requirement.Id.StartsWith(prefix, StringComparison.Ordinal))], tests);
        return text.ToString().TrimEnd() + "\n";
    }

    private static void WritePart(StringBuilder text, string title, List<Requirement> requirements, ILookup<string, TaggedTest> tests)
    {
        var tested = requirements.Count(requirement => tests.Contains(requirement.Id));
        text.Append(CultureInfo.InvariantCulture, $"## {title}\n\n{tested} of {requirements.Count} tested.\n\n");
        text.Append("| Line | Level | Clause | Requirement | Result | Tests |\n|---|---|---|---|---|---|\n");
        foreach (var (id, level, clause, sentence, note) in requirements)
        {
            var names = tests[id].Select(test => $"{Path.GetFileNameWithoutExtension(test.File)}.{test.Name}").Distinct().Order(StringComparer.Ordinal);
            var result = tests.Contains(id) ? "tested" : "**open**";
            if (note.Length > 0) result += ". " + char.ToUpperInvariant(note[0]) + note[1..];
            text.Append(CultureInfo.InvariantCulture, $"| {id} | {level} | {clause} | {sentence} | {result} | {string.Join("<br>", names)} |\n");
        }

        text.Append('\n');
    }
}
