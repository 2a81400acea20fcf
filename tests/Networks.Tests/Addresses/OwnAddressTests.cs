using System.Net;
using WebRtcIms.Networks.Tests.Namespaces;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Networks.Tests.Addresses;

/// <summary>The management port is not a peer, however its address is written, also where the addresses of the machine are opened.</summary>
[Requirement("NET-04")]
[Requirement("NET-05")]
public sealed class OwnAddressTests
{
    [Theory]
    [InlineData("ASPNETCORE_URLS", "http://+:8083")]
    [InlineData("ASPNETCORE_URLS", "http://0.0.0.0:8083")]
    [InlineData("ASPNETCORE_URLS", "http://[::]:8083")]
    [InlineData("HTTP_PORTS", "8083")]
    [InlineData("Kestrel__Endpoints__Other__Url", "http://*:8083")]
    public async Task Management_IsNotReachedThroughARelay(string setting, string value)
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        (string, string)[] urls = setting == "HTTP_PORTS" ? [("ASPNETCORE_URLS", "")] : [("ASPNETCORE_URLS", "http://localhost:8084")];
        await using var turn = await server.StartTurnAsync(Users.Settings([
            .. urls, (setting, value), ("Turn__ListenAddress", "0.0.0.0"), ("Turn__TcpRelays", "true"),
            ("Turn__PeerPolicy", "AllowThisMachine"), ("Turn__AllowedPeers__0", "20.77.0.0/24"), ("AllowedHosts", "20.77.0.1")]));
        using var http = client.Http();
        using var health = await http.GetAsync(new Uri("http://20.77.0.1:8083/health"), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, health.StatusCode);

        await using var caller = await Caller.AllocateAsync(
            await client.TcpClientAsync(IPEndPoint.Parse("20.77.0.1:3478"), Users.Alice), StunRequest.TcpTransport);
        await server.AddAddressAsync("20.77.0.8/24", "eth0");
        await turn.WaitForOutputAsync("TURN listens on 20.77.0.8:3478");
        foreach (var own in new[] { "20.77.0.1:8083", "20.77.0.8:8083", "127.0.0.1:8083", "127.9.9.9:8083", "20.77.0.8:3478" })
            Assert.Equal(StunError.Forbidden, await ConnectAsync(caller, own));

        // Nothing listens there, and the machine is open: this is an attempt that fails.
        Assert.Equal(StunError.ConnectionTimeoutOrFailure, await ConnectAsync(caller, "20.77.0.1:9"));
    }

    private static async Task<StunError> ConnectAsync(Caller caller, string peer) =>
        (await caller.Client.RequestAsync(StunMethod.Connect, StunRequest.Peer(IPEndPoint.Parse(peer)))).Error;
}
