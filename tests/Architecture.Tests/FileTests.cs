using System.Xml.Linq;

namespace WebRtcIms.Architecture.Tests;

/// <summary>Rules of the files around the code.</summary>
public sealed class FileTests
{
    private const int MaxLineLength = 140;

    [Fact]
    public void Lines_HaveTheLengthOfTheEditorConfig() => Problems.None(
        from file in Repository.Files
        where file.EndsWith(".cs", StringComparison.Ordinal)
        from line in Repository.Read(file).Split('\n').Select((text, index) => (Text: text.TrimEnd('\r'), Number: index + 1))
        where line.Text.Length > MaxLineLength && !IsData(line.Text)
        select $"{file}:{line.Number}: {line.Text.Length}");

    // A vector or JSON of a test is one literal. A raw literal cannot be broken, any other is on a line of its own.
    private static bool IsData(string line) => line.TrimStart() is ['"' or '{', ..] || line.Contains("\"\"\"", StringComparison.Ordinal);

    [Fact]
    public void Solution_HasEveryProject()
    {
        var solution = Repository.Read("WebRtcIms.sln").Replace('\\', '/');

        Problems.None(Repository.Files.Where(file => file.EndsWith(".csproj", StringComparison.Ordinal)
            && !file.StartsWith("samples/", StringComparison.Ordinal)
            && !solution.Contains($"\"{file}\"", StringComparison.Ordinal)));
    }

    [Fact]
    public void Solution_HasOnlyAnyCpu()
    {
        var solution = Repository.Read("WebRtcIms.sln");

        Assert.Contains("Debug|Any CPU", solution, StringComparison.Ordinal);
        Assert.DoesNotContain("|x64", solution, StringComparison.Ordinal);
        Assert.DoesNotContain("|x86", solution, StringComparison.Ordinal);
    }

    [Fact]
    public void BuildProperties_NameNoProject() =>
        Assert.DoesNotContain(
            XDocument.Load(Repository.PathOf("Directory.Build.props")).Descendants().Attributes("Condition"),
            condition => condition.Value.Contains("MSBuildProjectName", StringComparison.Ordinal));
}
