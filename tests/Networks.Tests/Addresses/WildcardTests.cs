using System.Net;
using WebRtcIms.Networks.Tests.Namespaces;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Networks.Tests.Addresses;

/// <summary>A server that listens on every address of its machine.</summary>
[Requirement("NET-03")]
public sealed class WildcardTests
{
    public static TheoryData<string> Transports => BackEnds.All;

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Relays_HaveTheAddressThatTheClientUsed_AndReachPeers(string transport)
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        await server.AddAddressAsync("20.77.0.2/24", "eth0");
        await using var turn = await server.StartTurnAsync(
            Users.Settings(("Turn__ListenAddress", "::,0.0.0.0"), ("Turn__Transport", transport)));
        foreach (var (from, to) in new[]
        {
            ("20.77.0.101", "20.77.0.1"), ("20.77.0.101", "20.77.0.2"), ("2a77::101", "2a77::1"),
        })
        {
            var address = new IPEndPoint(IPAddress.Parse(to), 3478);
            await using var caller = await Caller.AllocateAsync(client.UdpClient(from, address, Users.Alice));
            Assert.Equal(address.Address, caller.Relayed.Address);
            await caller.AssertReachesAsync(client, from.Replace("101", "102", StringComparison.Ordinal));

            await using var overTcp = await Caller.AllocateAsync(await client.TcpClientAsync(address, Users.Alice));
            Assert.Equal(address.Address, overTcp.Relayed.Address);
            await overTcp.AssertReachesAsync(client, from);
        }
    }

    [Fact]
    public async Task RelayOfTheOtherFamily_IsOnTheInterfaceThatTheClientUsed()
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        var other = await network.AddAsync("other");
        await server.ConnectAsync("eth1", other, "eth1");
        await server.AddAddressAsync("20.78.0.1/24", "eth1");
        await server.AddAddressAsync("2a78::1/64", "eth1");
        await other.AddAddressAsync("20.78.0.101/24", "eth1");
        await other.AddAddressAsync("2a78::101/64", "eth1");
        await using var turn = await server.StartTurnAsync(Users.Settings(("Turn__ListenAddress", "0.0.0.0,::")));
        var both = StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0);
        foreach (var (machine, from, to, expected) in new[]
        {
            (client, "20.77.0.101", "20.77.0.1", "20.77.0.1,2a77::1"), (other, "20.78.0.101", "20.78.0.1", "20.78.0.1,2a78::1"),
            (other, "2a78::101", "2a78::1", "20.78.0.1,2a78::1"),
        })
        {
            await using var caller = await Caller.AllocateAsync(
                machine.UdpClient(from, new IPEndPoint(IPAddress.Parse(to), 3478), Users.Alice), both);
            Assert.Equal(expected, string.Join(',', caller.AllRelayed.Select(relayed => relayed.Address)));
        }
    }

    [Fact]
    public async Task ClientOverLoopback_GetsARelayThatOthersReach()
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        await using var turn = await server.StartTurnAsync(Users.Settings(("Turn__ListenAddress", "0.0.0.0")));
        await using var caller = await Caller.AllocateAsync(
            server.UdpClient("127.0.0.1", IPEndPoint.Parse("127.0.0.1:3478"), Users.Alice));

        Assert.Equal("20.77.0.1", caller.Relayed.Address.ToString());
        await caller.AssertReachesAsync(client, "20.77.0.101");
    }

    [Fact]
    public async Task MachineWithoutANetwork_RelaysOverLoopback()
    {
        await using var network = await TestNetwork.CreateAsync();
        var server = await network.AddAsync("alone");
        await using var turn = await server.StartTurnAsync(Users.Settings(("Turn__ListenAddress", "0.0.0.0")));
        await using var caller = await Caller.AllocateAsync(
            server.UdpClient("127.0.0.1", IPEndPoint.Parse("127.0.0.1:3478"), Users.Alice));

        Assert.Equal("127.0.0.1", caller.Relayed.Address.ToString());
    }

    [Theory]
    [InlineData("20.77.0.2", "20.77.0.2")]
    [InlineData("20.77.0.2,20.77.0.1", "20.77.0.1")]
    public async Task RelayAddress_ComesFirst_AndTheOneThatTheClientUsedIsPreferred(string relayAddress, string expected)
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        await server.AddAddressAsync("20.77.0.2/24", "eth0");
        await using var turn = await server.StartTurnAsync(
            Users.Settings(("Turn__ListenAddress", "0.0.0.0"), ("Turn__RelayAddress", relayAddress)));
        await using var caller = await Caller.AllocateAsync(
            client.UdpClient("20.77.0.101", IPEndPoint.Parse("20.77.0.1:3478"), Users.Alice));

        Assert.Equal(expected, caller.Relayed.Address.ToString());
        await caller.AssertReachesAsync(client, "20.77.0.102");
    }

    [Fact]
    [Requirement("NET-19")]
    public async Task ServerWithIPv6Alone_RelaysForABrowser_IfAskedTo()
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        var to = IPEndPoint.Parse("[2a77::1]:3478");
        await using (var strict = await server.StartTurnAsync(Users.Settings(("Turn__ListenAddress", "2a77::1"))))
        {
            await using var browser = client.UdpClient("2a77::101", to, Users.Alice);
            Assert.Equal(StunError.AddressFamilyNotSupported, (await browser.AllocateAsync()).Error);
        }

        await using var turn = await server.StartTurnAsync(
            Users.Settings(("Turn__ListenAddress", "2a77::1"), ("Turn__DefaultRelayFamily", "Client")));
        await using var caller = await Caller.AllocateAsync(client.UdpClient("2a77::101", to, Users.Alice), StunRequest.UdpTransport);
        await caller.AssertReachesAsync(client, "2a77::102");
    }
}
