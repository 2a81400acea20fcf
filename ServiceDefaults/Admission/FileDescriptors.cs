using System.Globalization;

namespace WebRtcIms.ServiceDefaults.Admission;

/// <summary>
/// The file descriptors of this process. Without one for an assembly or a health probe the process would end or be killed, so connections
/// never use the last ones.
/// </summary>
public static class FileDescriptors
{
    // The runtime keeps two for each assembly, and loads some of them late. Redis, HTTP clients and telemetry need a few.
    private const int Reserve = 128;

    /// <summary>Below this a process cannot even load the assemblies that would report the problem.</summary>
    public const int Least = 300;

    private const string LimitLine = "Max open files";

    /// <summary>The limit of the process; the runtime has raised it to the hard one. Null where the system does not tell it.</summary>
    public static int? Limit { get; } = OperatingSystem.IsLinux() ? LimitIn(File.ReadAllLines("/proc/self/limits")) : null;

    /// <summary>How many are open.</summary>
    public static int Open => Directory.GetFileSystemEntries("/proc/self/fd").Length;

    /// <summary>How many connections may use; 0 or less if the limit is too low.</summary>
    public static int Available => Limit is { } limit ? limit - Open - Reserve : int.MaxValue;

    /// <summary>The soft limit in the lines of <c>/proc/self/limits</c>; null if it is not a number.</summary>
    public static int? LimitIn(IEnumerable<string> limits) =>
        limits.FirstOrDefault(line => line.StartsWith(LimitLine, StringComparison.Ordinal)) is { } line
            && int.TryParse(
                line[LimitLine.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], CultureInfo.InvariantCulture, out var limit)
            ? limit : null;
}
