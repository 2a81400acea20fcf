using System.Globalization;

namespace WebRtcIms.Soak.Sampling;

/// <summary>What the kernel says about a process.</summary>
/// <param name="ResidentKilobytes">Resident memory.</param>
/// <param name="Descriptors">Open files and sockets.</param>
/// <param name="Threads">Threads.</param>
/// <param name="UdpSockets">UDP sockets: for TURN its listeners and a relay for each allocation.</param>
/// <param name="CpuSeconds">CPU time since its start, of user and kernel.</param>
internal sealed record ProcessFigures(long ResidentKilobytes, int Descriptors, int Threads, int UdpSockets, double CpuSeconds)
{
    // sysconf(_SC_CLK_TCK) of Linux on every platform that .NET supports.
    private const double TicksPerSecond = 100;

    private static readonly string[] UdpTables = ["udp", "udp6"];

    public static ProcessFigures Of(int process)
    {
        var status = File.ReadLines($"/proc/{process}/status").Select(line => line.Split(':', 2))
            .ToDictionary(parts => parts[0], parts => parts[1].Trim());
        var sockets = SocketsOf(process, out var descriptors);
        return new(
            Number(status["VmRSS"]), descriptors, (int)Number(status["Threads"]),
            UdpInodes(process).Count(sockets.Contains), CpuOf(process));
    }

    private static HashSet<string> SocketsOf(int process, out int descriptors)
    {
        var links = Directory.EnumerateFileSystemEntries($"/proc/{process}/fd").Select(LinkOf).ToList();
        descriptors = links.Count;
        return [.. links.Where(link => link.StartsWith("socket:[", StringComparison.Ordinal)).Select(link => link[8..^1])];
    }

    // A descriptor may be closed before its link is read.
    private static string LinkOf(string descriptor)
    {
        try
        {
            return new FileInfo(descriptor).LinkTarget ?? "";
        }
        catch (IOException)
        {
            return "";
        }
    }

    // Each line of the table has the inode in its tenth column.
    private static IEnumerable<string> UdpInodes(int process) => UdpTables
        .SelectMany(table => File.ReadLines($"/proc/{process}/net/{table}").Skip(1))
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[9]);

    private static double CpuOf(int process)
    {
        var stat = File.ReadAllText($"/proc/{process}/stat");
        // utime and stime are the 14th and 15th columns. The second, the name, may contain spaces.
        var columns = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (Number(columns[11]) + Number(columns[12])) / TicksPerSecond;
    }

    private static long Number(string text) => long.Parse(text.Split(' ')[0], CultureInfo.InvariantCulture);
}
