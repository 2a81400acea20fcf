using System.Net;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Tests.Running;

namespace WebRtcIms.Turn.Tests.Delivery;

/// <summary>The running server with several workers fetches its keys while it relays.</summary>
public sealed class RunningDeliveryTests
{
    private static readonly DateTimeOffset InAnHour = TimeProvider.System.GetUtcNow().AddHours(1);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> BackEnds => OperatingSystem.IsLinux() ? ["Epoll", "IoUring", "Portable"] : ["Portable"];

    [Theory]
    [MemberData(nameof(BackEnds))]
    [Requirement("RFC7635-4.1.1")]
    [Requirement("ABUSE-48")]
    public async Task Rotation_ReachesEveryWorker_AndEndsNoAllocation(string transport)
    {
        await using var waf = await KeyServer.StartAsync(new TokenKey("k.1").Delivered(InAnHour));
        await waf.StopAsync();
        await using var server = await TurnServerProcess.StartAsync(
        [
            .. waf.SettingsOf("Turn"), ("Turn__KeyDelivery__Interval", "00:00:01"), ("Turn__Transport", transport), ("Turn__Workers", "4"),
        ]);
        await server.WaitForOutputAsync("The long-term keys cannot be fetched from the WAF");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, """{"status":"no keys"}"""), await GetAsync(server, "/ready"));
        var (status, report) = await GetAsync(server, "/health");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains(
            "\"keys\":\"Unhealthy: No token is accepted: there are no keys. Turn:KeyDelivery:Address", report, StringComparison.Ordinal);

        List<TurnClient> clients = [];
        List<TurnAllocation> allocations = [];
        List<TokenKey> keys = [];
        for (var rotation = 1; rotation <= 3; rotation++)
        {
            keys.Insert(0, new TokenKey($"k.{rotation}"));
            waf.Keys = [.. keys.Select(key => key.Delivered(InAnHour))];
            if (rotation == 1) await waf.StartAsync();
            await server.WaitForOutputAsync($"under the keys {string.Join(", ", keys.Select(key => key.Kid))}\n");

            // Each client has a port of its own, which decides about its worker.
            for (var i = 0; i < 12; i++)
            {
                clients.Add(await TurnClient.ConnectAsync(TurnUri.Parse($"turn:127.0.0.1:{server.Port}"), cancellationToken: Cancel));
                allocations.Add(await clients[^1].AllocateAsync(keys[0].Issue().Native, cancellationToken: Cancel));
            }
        }

        Assert.Equal((HttpStatusCode.OK, """{"status":"ready"}"""), await GetAsync(server, "/ready"));
        await using (var traffic = new Traffic(allocations)) await traffic.AssertEachRelaysAsync();
        await waf.StopAsync();
        foreach (var allocation in allocations) await allocation.RefreshAsync(cancellationToken: Cancel);
        Assert.All(waf.Keys, key => Assert.DoesNotContain(key.K, server.Output, StringComparison.Ordinal));
        foreach (var client in clients) await client.DisposeAsync();
    }

    private static async Task<(HttpStatusCode Status, string Body)> GetAsync(TurnServerProcess server, string path)
    {
        using var http = new HttpClient();
        using var response = await http.GetAsync(new Uri($"http://127.0.0.1:{server.ManagementPort}{path}"), Cancel);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(Cancel));
    }
}
