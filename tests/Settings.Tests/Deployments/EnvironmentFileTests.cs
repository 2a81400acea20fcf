using System.Text.RegularExpressions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Settings.Tests.Deployments;

/// <summary>The environment files of <c>deploy/systemd</c> have settings that exist, also the ones in comments.</summary>
public sealed partial class EnvironmentFileTests
{
    public static TheoryData<string, string> Names => [.. Parts.Projects.Select(part => (part.Key, part.Value))];

    [Theory]
    [MemberData(nameof(Names))]
    public void Variables_AreSettings_OrArgumentsOfTheUnit(string name, string part)
    {
        var unit = File.ReadAllText(Repository.PathOf("deploy", "systemd", "units", $"webrtcims-{name}.service"));
        var file = File.ReadAllText(Repository.PathOf("deploy", "systemd", "env", $"{name}.env"));
        var variables = Variable().Matches(file).Select(match => match.Groups[1].Value).ToList();

        Assert.NotEmpty(variables);
        Assert.All(variables, variable => Assert.True(
            KnownSettings.Has(part, variable) || unit.Contains($"${{{variable}}}", StringComparison.Ordinal), variable));
        Assert.All(
            Argument().Matches(unit), match => Assert.True(KnownSettings.Has(part, match.Groups[1].Value), match.Value));
    }

    [GeneratedRegex(@"^(?:# )?([A-Za-z_0-9]+)=", RegexOptions.Multiline)]
    private static partial Regex Variable();

    [GeneratedRegex(@" --([a-z0-9:-]+)=")]
    private static partial Regex Argument();
}
