using System.Diagnostics;
using System.Text;

namespace WebRtcIms.Tests.Common;

/// <summary>The processes of this machine, read from /proc.</summary>
public static class Processes
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>The processes whose environment contains this variable.</summary>
    public static IReadOnlyList<int> WithEnvironment(string variable)
    {
        List<int> found = [];
        foreach (var process in Process.GetProcesses())
        {
            using (process)
            {
                if (Read($"/proc/{process.Id}/environ").Contains($"\0{variable}\0", StringComparison.Ordinal)) found.Add(process.Id);
            }
        }

        return found;
    }

    /// <summary>Waits until all have ended.</summary>
    public static async Task UntilGoneAsync(IReadOnlyList<int> processes)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Limit);
        while (processes.Any(IsAlive)) await Task.Delay(20, limit.Token);
    }

    public static void Signal(int id, string signal)
    {
        using var kill = Process.Start("/bin/sh", ["-c", $"kill -{signal} {id}"]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }

    private static bool IsAlive(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            if (process.HasExited) return false;
        }
        catch (ArgumentException)
        {
            return false;
        }

        // Z is a zombie: it has ended, and its parent has not collected it. The init process of a container may never do so.
        return !Read($"/proc/{id}/stat").Split(')')[^1].StartsWith(" Z", StringComparison.Ordinal);
    }

    /// <summary>The file name of the program that a process runs.</summary>
    public static string? ProgramOf(int id) =>
        Path.GetFileName(Read($"/proc/{id}/cmdline").Split('\0', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault());

    // A process may end while its files are read.
    private static string Read(string file)
    {
        try
        {
            return "\0" + Encoding.UTF8.GetString(File.ReadAllBytes(file));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
