using System.Globalization;
using WebRtcIms.EndToEnd.Tests.Browser;

namespace WebRtcIms.AppHost.Tests.Fleet;

/// <summary>Measures a loss that a call survives, ten times, and prints the median. It runs only on demand (docs/page.md).</summary>
[Collection(RunningHosts.Collection)]
public sealed class FleetFigureTests(FleetSystem system, ITestOutputHelper output) : IClassFixture<FleetSystem>
{
    private const int Times = 10;

    [Fact(Explicit = true)]
    public async Task LossOfATurnNode_ToMediaThroughTheOther()
    {
        await using var chromium = await Chromium.StartAsync();
        List<double> times = [];
        for (var i = 0; i < Times; i++)
        {
            await system.StartAsync();
            await using var call = await RelayedCall.StartAsync(chromium, system.Gateway);
            times.Add((await system.LoseTurnOfAsync(call)).TotalMilliseconds);
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"in order: {string.Join(", ", times.Select(time => $"{time:0}"))}"));
        times.Sort();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"loss of a TURN node: median {times[Times / 2]:0} ms, shortest {times[0]:0} ms, longest {times[^1]:0} ms of {Times}"));
        Assert.True(times[^1] < 5_000, "a call was not heard again within 5 s");
    }
}
