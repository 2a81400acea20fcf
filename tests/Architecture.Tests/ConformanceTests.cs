using WebRtcIms.Conformance;

namespace WebRtcIms.Architecture.Tests;

/// <summary>The reports under docs/ are what the tests' tags give.</summary>
public sealed class ConformanceTests
{
    [Fact]
    public void Documents_AreWhatTheTagsGive() => Problems.None(
        from document in Report.GenerateAll(Repository.Root)
        where !File.Exists(Repository.PathOf(document.Key)) || Repository.Read(document.Key) != document.Value
        select $"{document.Key} is out of date: dotnet run --project tests/Conformance");

    [Theory]
    [InlineData("    public async Task Case_Result()", true)]
    [InlineData("    internal void Case_Result()", true)]
    [InlineData("    private static int Helper()", false)]
    public void Tag_BelongsToATest_OrIsAMistake(string declaration, bool isTest)
    {
        if (isTest) Assert.Contains("SomeTests.Case_Result", Generate("TURN-A1", declaration)["docs/conformance.md"]);
        else Assert.Contains("TURN-A1", Assert.Throws<FormatException>(() => Generate("TURN-A1", declaration)).Message);
    }

    [Theory]
    [InlineData("RFC3261-16.7-5", "docs/conformance-sip.md")]
    [InlineData("RFC7635-9", "docs/conformance.md")]
    public void TagOfAClause_AppearsInItsReport(string tag, string report) =>
        Assert.Contains($"| {tag} | SomeTests.Case_Result |", Generate(tag, "    public void Case_Result()")[report]);

    [Theory]
    [InlineData("TURN-A2", "requirements.csv does not list")]
    [InlineData("ABUSE-1", "requirements.csv does not list")]
    [InlineData("RFC9999-1", "no report reads")]
    [InlineData("SOMETHING", "no report reads")]
    public void TagThatNoReportReads_IsAMistake(string tag, string message) =>
        Assert.Contains(message, Assert.Throws<FormatException>(() => Generate(tag, "    public void Case_Result()")).Message);

    private static IReadOnlyDictionary<string, string> Generate(string tag, string declaration)
    {
        var repository = Directory.CreateTempSubdirectory("conformance-").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(repository, "tests", "X.Tests"));
            Directory.CreateDirectory(Path.Combine(repository, "tests", "Conformance"));
            var list = Path.Combine(repository, "tests", "Conformance", "requirements.csv");
            File.WriteAllText(list, "id;level;clause;text;note\nTURN-A1;M;RFC 8489;It is so.;\n");
            var test = Path.Combine(repository, "tests", "X.Tests", "SomeTests.cs");
            File.WriteAllText(test, $"    [Requirement(\"{tag}\")]\n    [Fact]\n{declaration}\n");
            return Report.GenerateAll(repository);
        }
        finally
        {
            Directory.Delete(repository, recursive: true);
        }
    }
}
