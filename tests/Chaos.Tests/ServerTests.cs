namespace WebRtcIms.Chaos.Tests;

/// <summary>A part or PostgreSQL ends as in a crash, and starts again.</summary>
[Collection(nameof(SharedSystem))]
public sealed class ServerTests(ChaosSystem system)
{
    [Fact]
    public Task PostgresKilled() => Experiment.RunAsync(system, new Fault(
        "PostgreSQL killed", () => system.Postgres.EndAsync("KILL"), async () => system.Postgres = await system.Postgres.RestartAsync()));

    /// <summary>Set-ups go on all the time, so it issues tokens.</summary>
    [Fact]
    public Task WafKilled() => KillAsync("WAF killed", "waf");

    [Fact]
    public Task WwsfKilled() => KillAsync("WWSF killed", "wwsf");

    [Fact]
    public Task EpCscfKilled() => KillAsync("eP-CSCF replica killed", "ep-cscf");

    [Fact]
    public Task GatewayKilled() => KillAsync("gateway killed", "wic-web");

    private Task KillAsync(string name, string part) =>
        Experiment.RunAsync(system, new Fault(name, () => system.KillAsync(part), () => system.StartAsync(part)));
}
