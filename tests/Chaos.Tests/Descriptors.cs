namespace WebRtcIms.Chaos.Tests;

/// <summary>The limit of open files of a process that runs.</summary>
internal static class Descriptors
{
    /// <summary>Leaves the process with those that it has open.</summary>
    /// <returns>Its former limit.</returns>
    public static async Task<string> ExhaustAsync(int process)
    {
        var former = await RunAsync(process, "--nofile", "--output=SOFT", "--noheadings");
        var open = Directory.GetFileSystemEntries($"/proc/{process}/fd").Length;
        await LimitAsync(process, $"{open}");
        return former.Trim();
    }

    public static Task LimitAsync(int process, string limit) => RunAsync(process, $"--nofile={limit}:");

    private static async Task<string> RunAsync(int process, params string[] arguments)
    {
        var result = await Command.RunAsync(Tools.Require("prlimit", "util-linux"), [$"--pid={process}", .. arguments]);
        Assert.True(result.ExitCode == 0, result.Output);
        return result.Output;
    }
}
