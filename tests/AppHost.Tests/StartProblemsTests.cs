namespace WebRtcIms.AppHost.Tests;

/// <summary>What the console shows of a part that ended.</summary>
public sealed class StartProblemsTests
{
    [Fact]
    public void UnhandledException_IsShownFromItsMessageOn()
    {
        var trace = Enumerable.Range(1, 30).Select(frame => $"  12:00:01    at Frame{frame}");

        var reason = StartProblems.ReasonIn(
            ["  12:00:00 listens", "  12:00:01 Unhandled exception. System.TimeoutException: too late", .. trace]).ToList();

        Assert.Equal("  12:00:01 Unhandled exception. System.TimeoutException: too late", reason[0]);
        Assert.Equal("  12:00:01    at Frame9", reason[^1]);
    }

    [Fact]
    public void OtherEnd_IsShownByItsLastLines()
    {
        string[] lines = [.. Enumerable.Range(1, 30).Select(line => $"  line {line}")];

        Assert.Equal(lines[20..], StartProblems.ReasonIn(lines));
        Assert.Equal(["  one line"], StartProblems.ReasonIn(["  one line"]));
        Assert.Empty(StartProblems.ReasonIn([]));
    }
}
