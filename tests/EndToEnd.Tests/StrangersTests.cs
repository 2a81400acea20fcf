using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>The reproductions of the security review (tests/Abuse) against the running system.</summary>
[Collection(RunningSystem.Collection)]
public sealed class StrangersTests(RunningSystem system)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(6);

    [Fact]
    public async Task EveryReproductionOfTheReview_Held()
    {
        var folder = Path.GetRelativePath(Repository.PathOf("tests", "EndToEnd.Tests"), AppContext.BaseDirectory);
        var program = Repository.PathOf("tests", "Abuse", folder, "WebRtcIms.Abuse.dll");

        var result = await Command.RunAsync("dotnet", [program, system.PageAddress.ToString()], Limit);

        TestContext.Current.TestOutputHelper?.WriteLine(result.Output);
        Assert.True(result.ExitCode == 0, result.Output);
        Assert.Contains(" 0 broken", result.Output, StringComparison.Ordinal);
    }
}
