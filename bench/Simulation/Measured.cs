using System.Text.Json;

namespace WebRtcIms.Simulation;

/// <summary>What one operation costs.</summary>
/// <param name="Source">The command that measured it, and when.</param>
/// <param name="CpuMicroseconds">CPU time of each process.</param>
/// <param name="RedisCommands">Commands that Redis executes, with those of scripts.</param>
internal sealed record Operation(string Source, IReadOnlyDictionary<string, double> CpuMicroseconds, double RedisCommands);

/// <param name="Source">The command that measured it, and when.</param>
/// <param name="Value">Octets.</param>
internal sealed record Size(string Source, double Value);

/// <summary>A run of the soak, to compare the model with: operations of the run, and CPU seconds of each process.</summary>
/// <param name="Source">The command that measured it, and when.</param>
/// <param name="Seconds">The time.</param>
/// <param name="Operations">How many of each.</param>
/// <param name="CpuSeconds">What each process took.</param>
/// <param name="RedisCommands">What Redis executed.</param>
internal sealed record ComparedRun(
    string Source, double Seconds, IReadOnlyDictionary<string, double> Operations, IReadOnlyDictionary<string, double> CpuSeconds,
    double RedisCommands);

/// <summary>The content of measured.json.</summary>
internal sealed record Measured(
    string Machine, IReadOnlyDictionary<string, Operation> Operations, IReadOnlyDictionary<string, Size> Octets, ComparedRun Soak)
{
    public const string IdleSecond = "idle_second";

    public double OctetsOf(string name) => Octets[name].Value;
}

/// <summary>How the files are read.</summary>
internal static class Files
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
    };

    /// <param name="path">A file; one that does not exist is looked for beside the program.</param>
    public static T Read<T>(string path) =>
        JsonSerializer.Deserialize<T>(File.ReadAllText(File.Exists(path) ? path : Path.Combine(AppContext.BaseDirectory, path)), Options)
        ?? throw new FormatException($"{path} is empty");
}
