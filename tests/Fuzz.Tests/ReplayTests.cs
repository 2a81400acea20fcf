using WebRtcIms.Tests.Common;

namespace WebRtcIms.Fuzz.Tests;

/// <summary>Every committed input of every fuzz target, among them whatever has once been a finding.</summary>
public sealed class ReplayTests
{
    public static TheoryData<string> Targets => [.. FuzzTargets.All.Keys];

    [Theory]
    [MemberData(nameof(Targets))]
    [Requirement("ABUSE-7")]
    [Requirement("ABUSE-35")]
    public void CommittedInputs_FindNothing(string target)
    {
        var inputs = Directory.GetFiles(FuzzTargets.Corpus(target));
        Assert.NotEmpty(inputs);
        Assert.All(inputs, input => FuzzTargets.All[target](File.ReadAllBytes(input)));
    }
}
