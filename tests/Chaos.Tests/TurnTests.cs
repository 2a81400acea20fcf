namespace WebRtcIms.Chaos.Tests;

/// <summary>One of two TURN nodes.</summary>
[Collection(nameof(SharedSystem))]
public sealed class TurnTests(ChaosSystem system)
{
    private const string Node = "turn";

    /// <summary>Its calls lose their relay. Their media moves to the other node, as an ICE restart does.</summary>
    [Fact]
    public Task Killed() => Experiment.RunAsync(system, new Fault(
        "TURN node killed", () => system.KillAsync(Node), () => system.StartAsync(Node))
    {
        EndsRelays = true,
    });

    /// <summary>Its calls go on, and new ones go to the other node.</summary>
    [Fact]
    public Task Drained() => Experiment.RunAsync(system, new Fault(
        "TURN node drained", () => SendAsync(HttpMethod.Post), () => SendAsync(HttpMethod.Delete)));

    private async Task SendAsync(HttpMethod method)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(method, new Uri(system.TurnManagement[0], "drain"));
        using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
        answer.EnsureSuccessStatusCode();
    }
}
