using System.Reflection;
using WebRtcIms.Contracts;

namespace WebRtcIms.Wwsf.Tests;

public sealed class ProblemCodeTests
{
    /// <summary>The page compares codes and has a text for each.</summary>
    [Fact]
    public void Codes_AreDistinctWordsInSnakeCase()
    {
        var codes = typeof(ProblemCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(field => (string)field.GetRawConstantValue()!).ToList();

        Assert.NotEmpty(codes);
        Assert.Equal(codes.Count, codes.Distinct().Count());
        Assert.All(codes, code => Assert.Matches("^[a-z]+(_[a-z]+)*$", code));
    }
}
