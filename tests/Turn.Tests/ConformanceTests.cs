using WebRtcIms.Conformance;

namespace WebRtcIms.Turn.Tests;

/// <summary>docs/conformance.md is what the tests' tags give.</summary>
public sealed class ConformanceTests
{
    [Fact]
    public void Document_IsWhatTheTagsGive()
    {
        var repository = Report.FindRepository(AppContext.BaseDirectory);

        Assert.True(
            File.ReadAllText(Report.PathIn(repository)) == Report.Generate(repository),
            "docs/conformance.md is not what the tags give: dotnet run --project tests/Conformance");
    }

    [Theory]
    [InlineData("    public async Task Case_Result()", true)]
    [InlineData("    internal void Case_Result()", true)]
    [InlineData("    private static int Helper()", false)]
    public void Tag_BelongsToATest_OrIsAMistake(string declaration, bool isTest)
    {
        var repository = Directory.CreateTempSubdirectory("conformance-");
        try
        {
            var tests = Directory.CreateDirectory(Path.Combine(repository.FullName, "tests", "X.Tests"));
            Directory.CreateDirectory(Path.Combine(repository.FullName, "tests", "Conformance"));
            File.WriteAllText(Path.Combine(repository.FullName, "tests", "Conformance", "requirements.csv"), "id;level;clause;text;note\nTURN-A1;M;RFC 8489;It is so.;\n");
            File.WriteAllText(Path.Combine(tests.FullName, "SomeTests.cs"), $"    [Requirement(\"TURN-A1\")]\n    [Fact]\n{declaration}\n");

            if (isTest) Assert.Contains("SomeTests.Case_Result", Report.Generate(repository.FullName));
            else Assert.Contains("TURN-A1", Assert.Throws<FormatException>(() => Report.Generate(repository.FullName)).Message);
        }
        finally
        {
            repository.Delete(recursive: true);
        }
    }
}
