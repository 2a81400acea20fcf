using System.Text.RegularExpressions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.FlowView.Tests;

/// <summary>The ladder is TypeScript in <c>web/shared</c>, and so are its tests.</summary>
public sealed class LadderTests
{
    [Fact]
    [Requirement("TS33.203-X.5.3.2-1")]
    [Requirement("EXP-15")]
    public async Task Ladder_PassesItsOwnTests()
    {
        var output =
            await Programs.RunAsync(
                Tools.Require("node", "nodejs"), Path.GetFullPath(Path.Combine(Programs.Folder, "../../web")), "test/run.mjs", "shared");

        var passed = Regex.Match(output, @"pass (\d+)$", RegexOptions.Multiline);
        Assert.True(passed.Success
            && int.Parse(passed.Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture) > 20, output);
    }
}
