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

    /// <summary>CPU seconds of a process, of its children, and of its children that have ended, as those of PostgreSQL.</summary>
    public static double CpuWithChildren(int process) => Directory.EnumerateDirectories("/proc")
        .Select(Path.GetFileName).Where(name => name!.All(char.IsAsciiDigit))
        .Select(name => StatOf(int.Parse(name!, CultureInfo.InvariantCulture)))
        .Where(stat => stat.Id == process || stat.Parent == process)
        .Sum(stat => stat.Id == process ? stat.Cpu + stat.CpuOfChildren : stat.Cpu);

    private static double CpuOf(int process) => StatOf(process).Cpu;

    // The second column, the name, may contain spaces. The columns after it are counted from the third, the state.
    private static (int Id, int Parent, double Cpu, double CpuOfChildren) StatOf(int process)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{process}/stat");
            var columns = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            double Seconds(int column) => Number(columns[column]) / TicksPerSecond;
            return (process, (int)Number(columns[1]), Seconds(11) + Seconds(12), Seconds(13) + Seconds(14));
        }
        catch (IOException)
        {
            // It has ended.
            return default;
        }
    }

    private static long Number(string text) => long.Parse(text.Split(' ')[0], CultureInfo.InvariantCulture);
}
