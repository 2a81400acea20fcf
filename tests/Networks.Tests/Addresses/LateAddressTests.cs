using System.Net;
using WebRtcIms.Networks.Tests.Namespaces;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Networks.Tests.Addresses;

/// <summary>Addresses that come after the start, go, and return.</summary>
[Requirement("NET-06")]
public sealed class LateAddressTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    public static TheoryData<string> Transports => BackEnds.All;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task AddressThatComesLater_IsListenedOn_OverEveryTransport(string transport)
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        using var certificate = new TestCertificate();
        await using var turn = await server.StartTurnAsync([
            .. certificate.Settings,
            .. Users.Settings(("Turn__ListenAddress", "0.0.0.0,::"), ("Turn__Transport", transport), ("Turn__Workers", "2"))]);
        await server.AddAddressAsync("20.77.0.3/24", "eth0");
        await server.AddAddressAsync("2a77::3/64", "eth0");
        foreach (var (from, to) in new[] { ("20.77.0.101", "20.77.0.3"), ("2a77::101", "2a77::3") })
        {
            var endpoint = new IPEndPoint(IPAddress.Parse(to), 3478);
            await turn.WaitForOutputAsync($"TURN listens on {endpoint}");
            await turn.WaitForOutputAsync($"TURN listens on {new IPEndPoint(endpoint.Address, 5349)}, DTLS");

            // Several clients, so that each worker has one.
            for (var i = 0; i < 4; i++)
            {
                await using var caller = await Caller.AllocateAsync(client.UdpClient(from, endpoint, Users.Alice));
                Assert.Equal(endpoint.Address, caller.Relayed.Address);
                await caller.AssertReachesAsync(client, from);
            }

            await using var overTcp = await Caller.AllocateAsync(await client.TcpClientAsync(endpoint, Users.Alice));
            await overTcp.AssertReachesAsync(client, from);
            await using var overTls = await client.TcpClientAsync(
                new IPEndPoint(endpoint.Address, 5349), tls: certificate.ClientOptions("stun.turn"));
            Assert.True((await overTls.RequestAsync(StunMethod.Binding)).IsSuccess);
        }
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task AddressThatGoesAndReturns_StillHasItsAllocations(string transport)
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        await server.AddAddressAsync("20.77.0.3/24", "eth0");
        await using var turn = await server.StartTurnAsync(
            Users.Settings(("Turn__ListenAddress", "0.0.0.0"), ("Turn__Transport", transport)));
        await using var caller = await Caller.AllocateAsync(
            client.UdpClient("20.77.0.101", IPEndPoint.Parse("20.77.0.3:3478"), Users.Alice));
        await server.RemoveAddressAsync("20.77.0.3/24", "eth0");
        await using (var other = await Caller.AllocateAsync(
            client.UdpClient("20.77.0.101", IPEndPoint.Parse("20.77.0.1:3478"), Users.Alice)))
            Assert.Equal("20.77.0.1", $"{other.Relayed.Address}");

        await server.AddAddressAsync("20.77.0.3/24", "eth0");
        await caller.AssertReachesAsync(client, "20.77.0.102");
    }

    [Theory]
    [InlineData("::", "Epoll")]
    [InlineData("::", "IoUring")]
    [InlineData("::", "Portable")]
    [InlineData("20.77.0.1,2a77::9", "Epoll")]
    public async Task TentativeAddress_IsWaitedFor(string listenAddress, string transport)
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;

        // It stays tentative until the server has tried to use it: one probe a second, and then a hundred.
        server.Set("net/ipv6/conf/eth0/dad_transmits", "60");
        await server.IpAsync("address", "add", "2a77::9/64", "dev", "eth0");
        await using var turn = await server.StartTurnAsync(
            Users.Settings(("Turn__ListenAddress", listenAddress), ("Turn__Transport", transport)));
        await turn.WaitForOutputAsync("[2a77::9]:3478 cannot be bound (AddressNotAvailable); TURN listens there as soon as it can");
        server.Set("net/ipv6/neigh/eth0/retrans_time_ms", "10");

        var endpoint = IPEndPoint.Parse("[2a77::9]:3478");
        await turn.WaitForOutputAsync($"TURN listens on {endpoint}");
        await using var caller = await Caller.AllocateAsync(client.UdpClient("2a77::101", endpoint, Users.Alice));
        await caller.AssertReachesAsync(client, "2a77::102");
        Assert.True((await (await client.TcpClientAsync(endpoint)).RequestAsync(StunMethod.Binding)).IsSuccess);
    }

    [Theory]
    [InlineData("::", "2a77::9")]
    [InlineData("2a77::9", "2a77::9")]
    [InlineData("20.77.0.9", "20.77.0.9")]
    public async Task ServerThatListensNowhere_IsUnhealthy_UntilItsAddressComes(string listenAddress, string address)
    {
        await using var network = await TestNetwork.CreateAsync();
        var server = await network.AddAsync("server");
        var client = await network.AddAsync("client");
        await server.ConnectAsync("eth0", client, "eth0");
        await client.AddAddressAsync("2a77::101/64", "eth0");
        await client.AddAddressAsync("20.77.0.101/24", "eth0");
        server.Set("net/ipv6/conf/all/disable_ipv6", "1");
        await using var turn = await server.StartTurnAsync(
            Users.Settings(("Turn__ListenAddress", listenAddress), ("Turn__DefaultRelayFamily", "Client")));
        var problem = $"TURN listens nowhere: this machine has no address of Turn:ListenAddress ({listenAddress})";
        await turn.WaitForOutputAsync(problem);
        using var http = server.Http();
        using var health = await http.GetAsync(new Uri("http://127.0.0.1:8083/health"), Cancel);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
        Assert.Contains(problem, await health.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        using var ready = await http.GetAsync(new Uri("http://127.0.0.1:8083/ready"), Cancel);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);

        server.Set("net/ipv6/conf/all/disable_ipv6", "0");
        await server.AddAddressAsync($"{address}/{(address.Contains(':') ? 64 : 24)}", "eth0");
        var endpoint = new IPEndPoint(IPAddress.Parse(address), 3478);
        await turn.WaitForOutputAsync($"TURN listens on {endpoint}");
        await using var caller = await Caller.AllocateAsync(
            client.UdpClient(address.Contains(':') ? "2a77::101" : "20.77.0.101", endpoint, Users.Alice), StunRequest.UdpTransport);
        await UntilAsync(http, HttpStatusCode.OK);
    }

    private static async Task UntilAsync(HttpClient http, HttpStatusCode status)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Limit);
        while (true)
        {
            using var health = await http.GetAsync(new Uri("http://127.0.0.1:8083/health"), limit.Token);
            if (health.StatusCode == status) return;
            await Task.Delay(20, limit.Token);
        }
    }
}
