using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace WebRtcIms.Architecture.Tests;

/// <summary>Keeps patterns that a native reader stumbles over out of comments, documents and texts. The list is short on purpose.</summary>
public sealed partial class ProseTests
{
    private const int MaxWords = 30;

    private static readonly (Regex Pattern, string Advice)[] Patterns =
    [
        (IsNo(), "write \"is not a\""),
        (Whoever(), "begin with the subject"),
        (AreNo(), "write \"are not\""),
        (OfBefore(), "write \"earlier\" or \"older\""),
        (CommaToo(), "write \"also\""),
        (Alone(), "write \"only\""),
    ];

    private static readonly string[] TextFiles =
        [".md", ".html", ".yml", ".ts", ".mjs", ".js", ".css", ".csproj", ".props", ".targets", ".csv", ".sh"];

    [Fact]
    public void Texts_ArePlainEnglish() => Problems.None(
        from file in Repository.Files
        where !IsExempt(file)
        from text in TextsOf(file)
        from rule in Patterns
        where rule.Pattern.IsMatch(text.Text)
        select $"{file}:{text.Line}: {rule.Advice}: {text.Text.Trim()}");

    [Fact]
    public void Names_AreTheTermsOfTheField() => Problems.None(
        from file in Repository.Files
        where file.EndsWith(".cs", StringComparison.Ordinal) && !IsExempt(file)
        from line in Repository.Read(file).Split('\n').Select((text, index) => (Text: text, Number: index + 1))
        where Names().IsMatch(line.Text)
        select $"{file}:{line.Number}: {line.Text.Trim()}");

    [Theory]
    [InlineData("README.md")]
    [InlineData("CONTRIBUTING.md")]
    [InlineData("docs/architecture.md")]
    public void Sentences_AreShort(string file) => Problems.None(
        from sentence in SentencesOf(Repository.Read(file))
        let words = sentence.Split(' ', StringSplitOptions.RemoveEmptyEntries).Count(word => word.Any(char.IsLetterOrDigit))
        where words > MaxWords
        select $"{file}: {words} words: {sentence.Trim()}");

    [Theory]
    [InlineData("That is no address.", true)]
    [InlineData("There is no address.", false)]
    [InlineData("The binding is no longer valid.", false)]
    [InlineData("Its own addresses are no peers.", true)]
    [InlineData("There are no peers, and none are no longer valid.", false)]
    [InlineData("The calls of before are listed.", true)]
    [InlineData("Its permission, too (RFC 8656).", true)]
    [InlineData("Whoever receives it opens it.", true)]
    [InlineData("A record. Nobody waits for it.", true)]
    [InlineData("Its allocations end, too.", true)]
    [InlineData("This is too long, too short or absent.", false)]
    [InlineData("Reachable by them alone.", true)]
    [InlineData("Each part runs alone.", false)]
    [InlineData("Leave that alone.", false)]
    public void Pattern_FindsOnlyWhatItNames(string text, bool found) =>
        Assert.Equal(found, Patterns.Any(rule => rule.Pattern.IsMatch(text)));

    private static bool IsExempt(string file) =>
        file.EndsWith("/ProseTests.cs", StringComparison.Ordinal) || file.Contains("/corpus/", StringComparison.Ordinal);

    private static IEnumerable<(int Line, string Text)> TextsOf(string file)
    {
        var extension = Path.GetExtension(file);
        if (extension == ".cs") return TextsOfCode(CSharpSyntaxTree.ParseText(Repository.Read(file), path: file));
        return TextFiles.Contains(extension) ? Repository.Read(file).Split('\n').Select((text, index) => (index + 1, text)) : [];
    }

    // Comments and literals. Names of tests and code are not prose.
    private static IEnumerable<(int Line, string Text)> TextsOfCode(SyntaxTree tree)
    {
        foreach (var token in tree.GetRoot().DescendantTokens())
        {
            foreach (var trivia in token.GetAllTrivia())
                foreach (var line in Lines(trivia.GetLocation(), trivia.ToFullString())) yield return line;
            if (IsText(token.Kind()))
                foreach (var line in Lines(token.GetLocation(), token.Text)) yield return line;
        }

        IEnumerable<(int, string)> Lines(Location location, string text) =>
            text.Split('\n').Select((each, index) => (location.GetLineSpan().StartLinePosition.Line + 1 + index, each));
    }

    private static bool IsText(SyntaxKind kind) => kind
        is SyntaxKind.StringLiteralToken or SyntaxKind.InterpolatedStringTextToken
        or SyntaxKind.SingleLineRawStringLiteralToken or SyntaxKind.MultiLineRawStringLiteralToken;

    // Code, tables and pictures are not sentences; items of lists and headings end one.
    private static IEnumerable<string> SentencesOf(string markdown)
    {
        var text = CodeBlock().Replace(markdown, "\n\n");
        text = TableRow().Replace(text, row => "\n" + row.Value.Replace("|", "\n\n", StringComparison.Ordinal));
        text = Link().Replace(text, "$1");
        return from paragraph in Paragraph().Split(text)
               from sentence in SentenceEnd().Split(paragraph.ReplaceLineEndings(" "))
               select sentence;
    }

    [GeneratedRegex(@"(?<!\b[Tt]here )\bis no (?!longer\b|more\b|less\b|fewer\b|greater\b|later\b|earlier\b|worse\b|better\b|faster\b)")]
    private static partial Regex IsNo();

    [GeneratedRegex(@"(?:^[\s/*#>-]*|[.!?] )(?:Whoever|Whatever|Nobody|Somebody) ")]
    private static partial Regex Whoever();

    [GeneratedRegex(
        @"(?<!\b[Tt]here )\b(?:are|was|were) no (?!longer\b|more\b|less\b|fewer\b|greater\b|later\b|earlier\b|worse\b|better\b|faster\b)")]
    private static partial Regex AreNo();

    [GeneratedRegex(@"\bof before\b")]
    private static partial Regex OfBefore();

    [GeneratedRegex(@", too(?:[.;:)]| \(|$)")]
    private static partial Regex CommaToo();

    [GeneratedRegex(@"\b(?:by|to|for|of|on|from|at|in|with|under) (?:them|it|that|this|those|these) alone\b")]
    private static partial Regex Alone();

    [GeneratedRegex(@"\bTimeProvider\?? clock\b|\bLogBack\b|\bLogOut\(|\b(?:void|Task|ValueTask|bool) (?:Tell|Say)(?:[A-Z]\w*)?\(")]
    private static partial Regex Names();

    [GeneratedRegex(@"```.*?```", RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    [GeneratedRegex(@"^\|.*$", RegexOptions.Multiline)]
    private static partial Regex TableRow();

    [GeneratedRegex(@"!?\[([^\]]*)\]\([^)]*\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"\n\s*\n|\n(?=\s*(?:[-*#>]|\d+\.) )|\n(?=#)")]
    private static partial Regex Paragraph();

    [GeneratedRegex(@"(?<=[.!?:])\s+")]
    private static partial Regex SentenceEnd();
}
