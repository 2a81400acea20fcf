using System.Globalization;

namespace WebRtcIms.Turn.Load;

/// <summary>CPU time and memory of the server process.</summary>
internal static class ServerProcess
{
    /// <summary>CPU time of all its threads, in microseconds (from /proc/PID/task/TID/schedstat, which counts nanoseconds).</summary>
    public static double CpuMicroseconds(int processId)
    {
        var total = 0.0;
        foreach (var task in Directory.EnumerateDirectories($"/proc/{processId}/task"))
        {
            try
            {
                total += double.Parse(File.ReadAllText(Path.Combine(task, "schedstat")).Split(' ')[0], CultureInfo.InvariantCulture);
            }
            catch (IOException)
            {
                // The thread has just ended.
            }
        }

        return total / 1000;
    }

    /// <summary>Resident memory in kB.</summary>
    public static long ResidentKilobytes(int processId) => File.ReadLines($"/proc/{processId}/status")
        .Where(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))
        .Select(line => long.Parse(new string([.. line.Where(char.IsAsciiDigit)]), CultureInfo.InvariantCulture))
        .Single();
}
