using WebRtcIms.Tests.Common;

namespace WebRtcIms.Settings.Tests;

/// <summary>Every part with malformed settings: it does not start, and says in one sentence which setting is wrong.</summary>
public sealed class StartTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("settings-");

    public static TheoryData<string> Parts => [.. Part.All.Select(part => part.Name)];

    [Theory]
    [MemberData(nameof(Parts))]
    public void GoodSettings_Start(string part)
    {
        var run = PartRun.Of(Part.Of(part), _folder.FullName);

        Assert.Equal((0, ""), (run.ExitCode, run.Error));
    }

    [Theory]
    [MemberData(nameof(Malformed.All), MemberType = typeof(Malformed))]
    [Requirement("NET-04")]
    [Requirement("NET-16")]
    public void MalformedValue_IsOneSentenceThatNamesTheSetting(string part, string setting, string value, string named)
    {
        var run = PartRun.Of(Part.Of(part), _folder.FullName, [.. Malformed.With(setting), (setting, Malformed.Expand(value, _folder))]);

        Assert.True(run.ExitCode == 1, $"exit code {run.ExitCode}\n{run.Error}\n{run.Log}");
        var lines = run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains(" cannot start. ", lines[0], StringComparison.Ordinal);
        Assert.True(lines.Count(line => line.Contains(named, StringComparison.Ordinal)) == 1, run.Error);

        // What is missing beside it is one sentence each, that begins with the name of a setting.
        const string Setting = "^  ([A-Za-z]+:[A-Za-z0-9:-]*|OTEL_[A-Z_]+|ASPNETCORE_[A-Z_]+|AllowedHosts)[ :,]";
        Assert.All(lines[1..], line => Assert.Matches(Setting, line));
        Assert.DoesNotContain("   at ", run.Error + run.Log, StringComparison.Ordinal);
        Assert.DoesNotContain(Malformed.Secret, run.Error + run.Log, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
