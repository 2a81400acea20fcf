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
}
