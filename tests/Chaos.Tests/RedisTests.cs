namespace WebRtcIms.Chaos.Tests;

/// <summary>Faults of Redis. It is on the path of a set-up and never on that of a call.</summary>
[Collection(nameof(SharedSystem))]
public sealed class RedisTests(ChaosSystem system)
{
    // More than the budget of an Allocate.
    private static readonly TimeSpan Slow = TimeSpan.FromMilliseconds(400);

    /// <summary>It returns without its data.</summary>
    [Fact]
    public Task Killed() => Experiment.RunAsync(
        system,
        new Fault("Redis killed", system.Redis.StopAsync, () => system.Redis.RestartAsync()) { IsOfRedis = true, WaitsForSignOut = true });

    [Fact]
    public Task Hung() => RunAsync("Redis hung (SIGSTOP)", system.Redis.Hang, system.Redis.GoOn);

    [Fact]
    public Task SlowAnswers() => RunAsync("Redis slow (0.4 s each way)", () => Spoil(ProxyMode.Delay), () => Spoil(ProxyMode.Pass));

    [Fact]
    public Task AnswersOfAnotherKind() => RunAsync(
        "Redis answers with texts in place of lists", () => Spoil(ProxyMode.OtherKind), () => Spoil(ProxyMode.Pass));

    [Fact]
    public Task Garbage() => RunAsync("Redis answers garbage", () => Spoil(ProxyMode.Garbage), () => Spoil(ProxyMode.Pass));

    [Fact]
    public Task ReadOnly() => RunAsync(
        "Redis read-only", () => CommandAsync("REPLICAOF", "127.0.0.1", "1"), () => CommandAsync("REPLICAOF", "NO", "ONE"));

    [Fact]
    public Task Full() => RunAsync(
        "Redis full", () => CommandAsync("CONFIG", "SET", "maxmemory", "1"), () => CommandAsync("CONFIG", "SET", "maxmemory", "0"));

    /// <summary>Its replica takes its place. What the master had not sent is lost.</summary>
    [Fact]
    public async Task FailedOver()
    {
        var master = system.Redis;
        var replica = await RedisServer.StartAsync(
            "--replicaof", "127.0.0.1", master.Address.Split(':')[1], "--repl-diskless-sync-delay", "0");
        await using (var admin = await replica.ConnectAsync())
        {
            while (!(await admin.GetServer(replica.Address).InfoRawAsync("replication"))!.Contains("master_link_status:up"))
                await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        await RunAsync("Redis fails over to its replica", master.StopAsync, async () =>
        {
            system.Redis = replica;
            await CommandAsync("REPLICAOF", "NO", "ONE");
            system.RedisProxy.PointTo(replica.Address);
        });
        await master.DisposeAsync();
    }

    private void Spoil(ProxyMode mode) => (system.RedisProxy.Delay, system.RedisProxy.Mode) = (Slow, mode);

    private async Task CommandAsync(string command, params object[] arguments)
    {
        await using var admin = await system.Redis.ConnectAsync();
        await admin.GetServer(system.Redis.Address).ExecuteAsync(command, arguments);
    }

    private Task RunAsync(string name, Action act, Action heal) =>
        Experiment.RunAsync(system, new Fault(name, act, heal) { IsOfRedis = true });

    private Task RunAsync(string name, Func<Task> act, Func<Task> heal) =>
        Experiment.RunAsync(system, new Fault(name, act, heal) { IsOfRedis = true });
}
