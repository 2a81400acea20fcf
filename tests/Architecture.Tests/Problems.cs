namespace WebRtcIms.Architecture.Tests;

/// <summary>Assertions that show every problem in full.</summary>
internal static class Problems
{
    public static void None(IEnumerable<string> problems)
    {
        var all = problems.ToList();
        if (all.Count > 0) Assert.Fail($"{all.Count} found:\n{string.Join('\n', all)}");
    }
}
