using System.Net;
using System.Net.Sockets;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>A telemetry collector that is no help: calls notice nothing.</summary>
public sealed class CollectorTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(25);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("ABUSE-78")]
    public async Task CollectorDownOrSilent_AllocationsAndRelayingGoOn_AndTheProcessEnds(bool accepts)
    {
        // It takes connections into its backlog and never reads, or there is nobody at all.
        using var collector = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        collector.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        if (accepts) collector.Listen(64);
        var address = $"http://{collector.LocalEndPoint}";
        await using var server = await TurnServerProcess.StartAsync(
            ("Turn__StaticUsers__0__Name", "u"), ("Turn__StaticUsers__0__Password", "p"), ("Turn__Workers", "1"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", address), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), ("FlowView__Endpoint", address),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"), ("OTEL_METRIC_EXPORT_INTERVAL", "200"));
        List<TurnClient> clients = [];
        List<TurnAllocation> allocations = [];

        // More spans than the exporters' queues have room for: the rest is dropped.
        for (var i = 0; i < 20; i++)
        {
            clients.Add(await TurnClient.ConnectAsync(TurnUri.Parse($"turn:127.0.0.1:{server.Port}"), cancellationToken: Cancel));
            allocations.Add(await clients[i].AllocateAsync(TurnCredential.LongTerm("u", "p"), cancellationToken: Cancel));
        }

        await using (var traffic = new Traffic(allocations))
        {
            for (var i = 0; i < 150; i++)
                await Task.WhenAll(allocations.Select(allocation => allocation.RefreshAsync(cancellationToken: Cancel)));
            await traffic.AssertEachRelaysAsync();
        }

        foreach (var client in clients) await client.DisposeAsync();
        Assert.Equal(0, await server.EndAsync("TERM").WaitAsync(Limit, Cancel));
    }
}
