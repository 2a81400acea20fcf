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

    [Fact]
    public Task DescriptorsOfTurn() => ExhaustAsync("descriptors of a TURN node exhausted", "turn");

    [Fact]
    public Task DescriptorsOfGateway() => ExhaustAsync("descriptors of the gateway exhausted", "wic-web");

    [Theory]
    [InlineData(60)]
    [InlineData(-60)]
    public Task ClockOfNodes(int seconds) => StepAsync("a TURN node and an eP-CSCF replica", seconds, "turn-2", "ep-cscf-2");

    [Theory]
    [InlineData(60)]
    [InlineData(-60)]
    public Task ClockOfWaf(int seconds) => StepAsync("the WAF", seconds, "waf");

    private async Task ExhaustAsync(string name, string part)
    {
        var process = system.Part(part).Id;
        var former = "";
        await Experiment.RunAsync(system, new Fault(
            name, async () => former = await Descriptors.ExhaustAsync(process), () => Descriptors.LimitAsync(process, former)));
        WriteLog(part, "open files");
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
