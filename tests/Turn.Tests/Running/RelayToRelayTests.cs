using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>
/// Two clients of the running server talk through its relays without any allowed peer. Other services of the machine stay out of reach.
/// </summary>
public sealed class RelayToRelayTests
{
    private static readonly (string, string) Default = ("Turn__PeerPolicy", "Default");

    [Theory]
    [InlineData("Epoll", "127.0.0.1")]
    [InlineData("IoUring", "127.0.0.1")]
    [InlineData("Portable", "127.0.0.1")]
    [InlineData("Portable", "public")]
    [InlineData("Epoll", "public")]
    [Requirement("SEC-13")]
    [Requirement("TURN-B34")]
    public async Task Datagrams_ReachTheOtherRelay_AndNoServiceOfTheMachine(string transport, string address)
    {
        var ip = address == "public" ? PublicAddress() : IPAddress.Parse(address);
        await using var server = await TurnServerProcess.StartAsync(
            [.. Alice.Settings(("Turn__Transport", transport), ("Turn__ListenAddress", $"127.0.0.1,{ip}"), ("Turn__RelayAddress", $"{ip}"),
                ("Turn__Workers", "2")), Default]);
        using var service = new UdpClient(new IPEndPoint(IPAddress.Any, 0));
        var port = ((IPEndPoint)service.Client.LocalEndPoint!).Port;
        await using var one = Alice.Udp(ip, server.Port);
        await using var other = Alice.Udp(ip, server.Port);
        var relay = (await one.AllocateAsync()).Address(StunAttributeType.XorRelayedAddress).ToIPEndPoint();

        // As with trickled candidates, the permission may come before the peer has its relay.
        Assert.True((await one.RequestAsync(StunMethod.CreatePermission, StunRequest.Peer(new IPEndPoint(ip, 9)))).IsSuccess);
        var peer = (await other.AllocateAsync()).Address(StunAttributeType.XorRelayedAddress).ToIPEndPoint();
        Assert.True((await other.BindAsync(0x4000, relay)).IsSuccess);
        Assert.True((await one.BindAsync(0x4000, peer)).IsSuccess);
        one.Socket.Send(StunRequest.SendIndication(new IPEndPoint(ip, port), "to the service"u8.ToArray(), null));
        one.Socket.Send(StunRequest.OnChannel(0x4000, "hello"u8.ToArray()));
        Assert.Equal(StunRequest.OnChannel(0x4000, "hello"u8.ToArray()), await other.ReceiveAsync());

        foreach (var own in new[] { $"{ip}:{port}", $"127.0.0.1:{port}", $"127.0.0.2:{port}", $"0.0.0.0:{port}" })
        {
            var endpoint = IPEndPoint.Parse(own);
            Assert.Equal(StunError.Forbidden, (await one.BindAsync(0x4001, endpoint)).Error);
            one.Socket.Send(StunRequest.SendIndication(endpoint, "to the service"u8.ToArray(), null));
        }

        // What comes after it on the same way has arrived, so the others would have.
        one.Socket.Send(StunRequest.OnChannel(0x4000, "end"u8.ToArray()));
        await other.ReceiveAsync();
        Assert.Equal(0, service.Available);
    }

    [Fact]
    [Requirement("SEC-13")]
    [Requirement("RFC6062-5.2")]
    public async Task Connections_ReachTheOtherRelay_AndNoServiceOfTheMachine()
    {
        await using var server = await TurnServerProcess.StartAsync([.. Alice.Settings(("Turn__TcpRelays", "true")), Default]);
        await using var one = await Alice.TcpAsync(server.Port);
        await using var other = await Alice.TcpAsync(server.Port);
        var relay = await AllocateAsync(one);
        var peer = await AllocateAsync(other);
        using var service = new TcpListener(IPAddress.Any, 0);
        service.Start();
        var port = ((IPEndPoint)service.LocalEndpoint).Port;
        foreach (var own in new[] { port, server.Port, server.ManagementPort })
        {
            foreach (var address in new[] { "127.0.0.1", "127.0.0.2", "0.0.0.0", $"{PublicAddress()}" })
            {
                Assert.Equal(
                    StunError.Forbidden,
                    (await one.RequestAsync(StunMethod.Connect, StunRequest.Peer(IPEndPoint.Parse($"{address}:{own}")))).Error);
            }
        }

        Assert.False(service.Pending());
        Assert.True((await other.RequestAsync(StunMethod.CreatePermission, StunRequest.Peer(relay))).IsSuccess);
        Assert.True((await one.RequestAsync(StunMethod.Connect, StunRequest.Peer(peer))).IsSuccess);
        var attempt = await other.ReceiveStunAsync();
        Assert.Equal(relay, attempt.Address(StunAttributeType.XorPeerAddress).ToIPEndPoint());
    }

    private static async Task<IPEndPoint> AllocateAsync(StunTestClient client) =>
        (await client.RequestAsync(StunMethod.Allocate, StunRequest.TcpTransport))
            .Address(StunAttributeType.XorRelayedAddress).ToIPEndPoint();

    private static IPAddress PublicAddress()
    {
        var address = NetworkInterface.GetAllNetworkInterfaces()
            .SelectMany(network => network.GetIPProperties().UnicastAddresses)
            .Select(unicast => unicast.Address)
            .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));
        Assert.SkipWhen(address is null, "this machine has only loopback");
        return address!;
    }
}
