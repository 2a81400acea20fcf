using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace WebRtcIms.Conformance;

/// <summary>A generated document: requirements and clauses with the tests that prove them.</summary>
/// <param name="Path">The path in the repository.</param>
/// <param name="Title">The heading.</param>
/// <param name="Introduction">The first paragraph.</param>
/// <param name="Parts">The sections in order.</param>
public sealed partial record Report(string Path, string Title, string Introduction, IReadOnlyList<Part> Parts)
{
    /// <summary>Every document. Each tag belongs to one of their parts.</summary>
    public static IReadOnlyList<Report> All { get; } =
    [
        new("docs/conformance.md", "Conformance of TURN",
            """
            Levels: M is MUST, S is SHOULD, O is optional, - is a rule of this project. A line is *tested* when at least one test is tagged
            with it, and *open* when none is. The sections by clause list the tests that quote a clause of a standard.
            """,
            [
                new("STUN base, RFC 8489", true, "TURN-A"),
                new("TURN, RFC 8656", true, "TURN-B"),
                new("TCP allocations, RFC 6062", true, "TURN-C"),
                new("Mobility, RFC 8016", true, "TURN-D"),
                new("Transports and addresses", true, "TURN-E"),
                new("Test vectors", true, "TURN-F"),
                new("Third-party authorization, RFC 7635", true, "TURN-G"),
                new("STUN by clause", false, "RFC8489-", "RFC5769-", "RFC8265-"),
                new("TURN by clause", false, "RFC8656-", "RFC6062-", "RFC8016-", "RFC7065-", "RFC7350-", "RFC7443-"),
                new("Third-party authorization by clause", false, "RFC7635-", "RFC5116-", "3GPP-33.203-"),
                new("OpenTelemetry protocol", false, "OTLP-"),
            ]),
        new("docs/conformance-oauth.md", "Conformance of the authorization server",
            """
            Requirements of OAuth 2.0 and its extensions, with the tests that prove them.
            Levels are those of [conformance.md](conformance.md).
            """,
            [
                new("OAuth 2.0, RFC 6749", true, "RFC6749-"),
                new("Client assertions, RFC 7523", true, "RFC7523-"),
                new("Client registration, RFC 7591", true, "RFC7591-"),
                new("Management of registered clients, RFC 7592", true, "RFC7592-"),
                new("Revocation, RFC 7009", true, "RFC7009-"),
                new("Introspection, RFC 7662", true, "RFC7662-"),
                new("Metadata, RFC 8414", true, "RFC8414-"),
                new("Mutual TLS, RFC 8705", true, "RFC8705-"),
                new("Resource indicators, RFC 8707", true, "RFC8707-"),
                new("Best current practice, RFC 9700", true, "RFC9700-"),
                new("Encryption of registration tokens, by clause", false, "RFC7516-", "RFC7518-"),
            ]),
        new("docs/conformance-sip.md", "Conformance of SIP and IMS",
            "Clauses of SIP and IMS, and traps of interoperation, with the tests that quote them.",
            [
                new("SIP core", false, "RFC3261-", "RFC6026-", "RFC3262-", "RFC4028-", "RFC6665-"),
                new("SIP over WebSocket and outbound", false, "RFC7118-", "RFC5626-"),
                new("Identity and bearer tokens", false, "RFC3325-", "RFC4916-", "RFC8898-"),
                new("Session descriptions and tones", false, "RFC3264-", "RFC4733-"),
                new("Torture messages", false, "RFC4475-"),
                new("3GPP", false, "TS"),
                new("Traps of interoperation", false, "TRAP-"),
            ]),
        new("docs/abuse.md", "Abuse and bad input",
            "Each case is an attack or a fault that a server must survive. Levels are those of [conformance.md](conformance.md).",
            [new("Cases", true, "ABUSE-")]),
        new("docs/security-review.md", "Findings of the security review",
            "Findings of a review of the running system. Each line says what must hold. Levels are those of [conformance.md](conformance.md).",
            [new("Findings", true, "SEC-")]),
        new("docs/networks-review.md", "Findings on real networks",
            "Findings of trials on real networks and with independent clients. Each line says what must hold. Levels are those of\n"
            + "[conformance.md](conformance.md).",
            [
                new("Situations that people report about other servers", true, "NET-"),
                new("Independent clients and raw packets", true, "CLIENT-"),
            ]),
        new("docs/experience-review.md", "Findings of the experience review",
            "A demo team, an operator and a developer walked through the running system. Each line says what must hold. Levels are those of\n"
            + "[conformance.md](conformance.md).",
            [new("Findings", true, "EXP-")]),
    ];

    /// <summary>The folder with the solution, at or above <paramref name="folder"/>.</summary>
    public static string FindRepository(string folder)
    {
        for (var current = new DirectoryInfo(folder); current is not null; current = current.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(current.FullName, "WebRtcIms.sln"))) return current.FullName;
        }

        throw new DirectoryNotFoundException($"WebRtcIms.sln is not at or above {folder}");
    }

    /// <summary>The documents as the tags give them, by path.</summary>
    /// <exception cref="FormatException">A tag belongs to no document, a listed tag is unknown, or the list is malformed.</exception>
    public static IReadOnlyDictionary<string, string> GenerateAll(string repository)
    {
        var requirements = Requirement.ReadAll(System.IO.Path.Combine(repository, "tests", "Conformance", "requirements.csv"));
        var tests = TaggedTest.FindAll(repository).ToLookup(test => test.Tag);
        var listed = requirements.Select(requirement => requirement.Id).ToHashSet();
        foreach (var tag in tests.Select(test => test.Key))
        {
            var part = All.SelectMany(report => report.Parts).FirstOrDefault(part => part.Holds(tag))
                ?? throw new FormatException($"a test is tagged {tag}, which no report reads");
            if (part.IsListed && !listed.Contains(tag))
                throw new FormatException($"a test is tagged {tag}, which requirements.csv does not list");
        }

        return All.ToDictionary(report => report.Path, report => report.Generate(requirements, tests));
    }

    private string Generate(IReadOnlyList<Requirement> requirements, ILookup<string, TaggedTest> tests)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# {Title}\n\n");
        text.Append("Generated by `dotnet run --project tests/Conformance` from the `[Requirement]` tags of the tests and from\n");
        text.Append(CultureInfo.InvariantCulture,
            $"`tests/Conformance/requirements.csv`. A test fails when this file differs.\n{Introduction.ReplaceLineEndings("\n")}\n\n");
        foreach (var part in Parts)
        {
            if (part.IsListed)
                WriteRequirements(text, part.Title, [.. requirements.Where(requirement => part.Holds(requirement.Id))], tests);
            else WriteClauses(text, part, tests);
        }

        return text.ToString().TrimEnd() + "\n";
    }

    private static void WriteRequirements(
        StringBuilder text, string title, List<Requirement> requirements, ILookup<string, TaggedTest> tests)
    {
        var tested = requirements.Count(requirement => tests.Contains(requirement.Id));
        text.Append(CultureInfo.InvariantCulture, $"## {title}\n\n{tested} of {requirements.Count} tested.\n\n");
        text.Append("| Line | Level | Clause | Requirement | Result | Tests |\n|---|---|---|---|---|---|\n");
        foreach (var (id, level, clause, sentence, note) in requirements)
        {
            var result = tests.Contains(id) ? "tested" : "**open**";
            if (note.Length > 0) result += ". " + char.ToUpperInvariant(note[0]) + note[1..];
            text.Append(CultureInfo.InvariantCulture, $"| {id} | {level} | {clause} | {sentence} | {result} | {NamesOf(tests[id])} |\n");
        }

        text.Append('\n');
    }

    private static void WriteClauses(StringBuilder text, Part part, ILookup<string, TaggedTest> tests)
    {
        text.Append(CultureInfo.InvariantCulture, $"## {part.Title}\n\n| Clause | Tests |\n|---|---|\n");
        foreach (var clause in tests.Where(clause => part.Holds(clause.Key)).OrderBy(clause => SortKey(clause.Key), StringComparer.Ordinal))
            text.Append(CultureInfo.InvariantCulture, $"| {clause.Key} | {NamesOf(clause)} |\n");
        text.Append('\n');
    }

    private static string NamesOf(IEnumerable<TaggedTest> tests) =>
        string.Join("<br>", tests.Select(test => test.DisplayName).Distinct().Order(StringComparer.Ordinal));

    // 7.2-10 comes after 7.2-9.
    private static string SortKey(string clause) => Number().Replace(clause, number => number.Value.PadLeft(6, '0'));

    [GeneratedRegex(@"\d+")]
    private static partial Regex Number();
}
