using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Interop.Tests.Fleet;

/// <summary>A TURN server that fetches its keys from the WAF, and clients that make allocations there.</summary>
internal sealed class Node : IAsyncDisposable
{
    private readonly TurnServerProcess _server;

    private Node(TurnServerProcess server) => _server = server;

    public string Output => _server.Output;

    /// <summary>Starts a node, and waits until it has keys.</summary>
    public static async Task<Node> StartAsync(params (string Name, string Value)[] settings)
    {
        var server = await TurnServerProcess.StartAsync(settings);
        using var http = new HttpClient();
        var health = new Uri($"http://127.0.0.1:{server.ManagementPort}/health");
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            using var response = await http.GetAsync(health, limit.Token);
            if (response.IsSuccessStatusCode) return new Node(server);
            await Task.Delay(50, limit.Token);
        }
    }

    public Task<TurnClient> ConnectAsync() =>
        TurnClient.ConnectAsync(TurnUri.Parse($"turn:127.0.0.1:{_server.Port}"), cancellationToken: TestContext.Current.CancellationToken);

    /// <summary>Makes an allocation and deletes it.</summary>
    /// <exception cref="TurnException">The server refused it.</exception>
    public async Task AllocateAsync(TurnCredential credential)
    {
        await using var client = await ConnectAsync();
        await using var allocation = await client.AllocateAsync(credential, cancellationToken: TestContext.Current.CancellationToken);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
