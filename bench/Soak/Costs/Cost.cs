namespace WebRtcIms.Soak.Costs;

/// <summary>What one operation costs, without what idle processes need.</summary>
/// <param name="Count">How many were measured.</param>
/// <param name="PerSecond">How fast they ran.</param>
/// <param name="CpuMicroseconds">CPU time of each process.</param>
/// <param name="RedisCommands">Commands that Redis executed, with those of scripts.</param>
/// <param name="Commands">The same by name.</param>
internal sealed record Cost(
    int Count, double PerSecond, IReadOnlyDictionary<string, double> CpuMicroseconds, double RedisCommands,
    IReadOnlyDictionary<string, double> Commands);
