using WebRtcIms.Chaos.Tests.Tokens;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Chaos.Tests;

/// <summary>A part whose machine gives it no more: disk, descriptors, the right time.</summary>
[Collection(nameof(SharedSystem))]
public sealed class MachineTests(ChaosSystem system)
{
    [Fact]
    public async Task DiskFull()
    {
        system.Disk.Require();
        await Experiment.RunAsync(system, new Fault("disk of the WAF's SQLite store full", system.Disk.Fill, system.Disk.Free));
        WriteLog("waf", "full");
    }

    /// <summary>An allocation is refused with 508, and the next node is asked.</summary>
    [Fact]
    public Task DescriptorsOfTurn() => LimitAsync("turn", "600", async () =>
    {
        var relays = new AllRelays(
            TurnUri.Parse($"turn:{system.TurnServers[0]}?transport=udp"), new TurnForgeries(Convert.FromBase64String(system.TurnKey)));
        await Experiment.RunAsync(system, new Fault("descriptors of a TURN node exhausted", relays.TakeAsync, relays.GiveBackAsync));
    });

    /// <summary>Connections of strangers give way to others.</summary>
    [Fact]
    public Task DescriptorsOfGateway() => LimitAsync("wic-web", "800", async () =>
    {
        await using var flood = new Flood(system);
        await Experiment.RunAsync(system, new Fault("descriptors of the gateway exhausted", flood.BeginAsync, flood.EndAsync));
        Assert.Contains("was closed for a new one", system.Part("wic-web").Output, StringComparison.Ordinal);
    });

    [Theory]
    [InlineData(60)]
    [InlineData(-60)]
    public Task ClockOfNodes(int seconds) => StepAsync("a TURN node and an eP-CSCF replica", seconds, "turn-2", "ep-cscf-2");

    [Theory]
    [InlineData(60)]
    [InlineData(-60)]
    public Task ClockOfWaf(int seconds) => StepAsync("the WAF", seconds, "waf");

    // A part that may open so few files gives connections a share of them, and keeps the rest: .NET ends without one for a thread.
    private async Task LimitAsync(string part, string files, Func<Task> runAsync)
    {
        await system.StartAsync(part, Tools.Require("prlimit", "util-linux"), $"--nofile={files}");
        try
        {
            await runAsync();
            WriteLog(part, "open files");
        }
        finally
        {
            await system.StartAsync(part);
        }
    }

    private Task StepAsync(string whose, int seconds, params string[] parts)
    {
        system.Clocks.Require();
        return Experiment.RunAsync(system, new Fault($"clock of {whose} {seconds:+0;-0} s", () => Set(seconds), () => Set(0)));

        void Set(int offset)
        {
            foreach (var part in parts) system.Clocks.Set(part, offset);
        }
    }

    // What the part says about it.
    private void WriteLog(string part, string word)
    {
        var lines = system.Part(part).Output.Split('\n').Where(line => line.Contains(word, StringComparison.OrdinalIgnoreCase)).ToList();
        TestContext.Current.TestOutputHelper!.WriteLine($"{lines.Count} lines of the log name it: {lines.FirstOrDefault()}");
    }
}
