namespace WebRtcIms.Simulation;

/// <summary>The model against the machine: what it says for the operations of a soak, and what the processes took.</summary>
internal static class Comparison
{
    /// <returns>For each process the predicted and the measured share of one processor.</returns>
    public static IEnumerable<(string Process, double Predicted, double Measured)> Of(Measured measured)
    {
        var run = measured.Soak;
        foreach (var (process, seconds) in run.CpuSeconds)
        {
            var predicted = run.Operations.Sum(entry =>
                entry.Value * measured.Operations[entry.Key].CpuMicroseconds.GetValueOrDefault(process)) / 1e6
                + (run.Seconds * measured.Operations[Measured.IdleSecond].CpuMicroseconds.GetValueOrDefault(process) / 1e6);
            yield return (process, predicted / run.Seconds, seconds / run.Seconds);
        }
    }

    /// <summary>Commands of Redis per second, predicted and measured.</summary>
    public static (double Predicted, double Measured) OfRedisCommands(Measured measured)
    {
        var run = measured.Soak;
        var predicted = run.Operations.Sum(entry => entry.Value * measured.Operations[entry.Key].RedisCommands) / run.Seconds;
        return (predicted + measured.Operations[Measured.IdleSecond].RedisCommands, run.RedisCommands / run.Seconds);
    }
}
