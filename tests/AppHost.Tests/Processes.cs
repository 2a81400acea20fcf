using System.Diagnostics;

namespace WebRtcIms.AppHost.Tests;

internal static class Processes
{
    public static bool IsAlive(int id)
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

        // A process that has ended and that nobody has collected yet: init of a container may never do so.
        try
        {
            return !OperatingSystem.IsLinux() || !File.ReadAllText($"/proc/{id}/stat").Split(')')[^1].StartsWith(" Z", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    public static void Signal(int id, string signal)
    {
        using var kill = Process.Start("/bin/sh", ["-c", $"kill -{signal} {id}"]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }
}
