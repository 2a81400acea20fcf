namespace WebRtcIms.Chaos.Tests;

/// <summary>Strangers flood the system, also while something else is broken.</summary>
[Collection(nameof(SharedSystem))]
public sealed class FloodTests(ChaosSystem system)
{
    private static readonly Func<Task> Nothing = () => Task.CompletedTask;

    [Fact]
    public Task Alone() => RunAsync(new Fault("flood", Nothing, Nothing));

    [Fact]
    public Task WhileRedisHangs() =>
        RunAsync(new Fault("flood while Redis hangs", system.Redis.Hang, system.Redis.GoOn) { IsOfRedis = true });

    [Fact]
    public Task WhileAReplicaIsKilled() => RunAsync(new Fault(
        "flood while an eP-CSCF replica is killed", () => system.KillAsync("ep-cscf-2"), () => system.StartAsync("ep-cscf-2")));

    private async Task RunAsync(Fault fault)
    {
        await using var flood = new Flood(system);
        await Experiment.RunAsync(system, fault with
        {
            ActAsync = async () =>
            {
                await flood.BeginAsync();
                await fault.ActAsync();
            },
            HealAsync = async () =>
            {
                await flood.EndAsync();
                await fault.HealAsync();
            },
        });
    }
}
