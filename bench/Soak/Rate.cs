using System.Text.Json;

namespace WebRtcIms.Soak;

/// <summary>What a run cost after its warm-up.</summary>
/// <param name="Calls">Completed calls.</param>
/// <param name="Pages">Log-ins with a registration.</param>
/// <param name="Seconds">The time.</param>
/// <param name="Cpu">CPU seconds of each process.</param>
/// <param name="Commands">Commands that Redis executed, by name.</param>
internal sealed record Rate(
    long Calls, long Pages, double Seconds, IReadOnlyDictionary<string, double> Cpu, IReadOnlyDictionary<string, long> Commands);

/// <summary>How files of figures are written.</summary>
internal static class JsonOutput
{
    public static readonly JsonSerializerOptions Options =
        new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };
}
