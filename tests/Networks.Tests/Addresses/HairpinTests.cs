using System.Net;
using WebRtcIms.Networks.Tests.Namespaces;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Networks.Tests.Addresses;

/// <summary>
/// Two clients of a server behind a one-to-one NAT that does not send back what comes from inside. Nothing in these networks has the public
/// addresses.
/// </summary>
[Requirement("NET-02")]
public sealed class HairpinTests
{
    public static TheoryData<string> Transports => BackEnds.All;

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task Datagrams_GoBetweenTwoRelays_UnderTheirPublicAddresses(string transport)
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        await using var turn = await server.StartTurnAsync(Users.Settings(
            ("Turn__ListenAddress", "0.0.0.0,::"), ("Turn__PublicAddress", "20.99.0.1,2a99::1"), ("Turn__Transport", transport),
            ("Turn__Workers", "2")));
        foreach (var (to, one, two, expected) in new[]
        {
            ("20.77.0.1:3478", "20.77.0.101", "20.77.0.102", "20.99.0.1"), ("[2a77::1]:3478", "2a77::101", "2a77::102", "2a99::1"),
        })
        {
            await using var alice = await Caller.AllocateAsync(client.UdpClient(one, IPEndPoint.Parse(to), Users.Alice));
            await using var bob = await Caller.AllocateAsync(client.UdpClient(two, IPEndPoint.Parse(to), Users.Alice));
            Assert.Equal((expected, expected), ($"{alice.Relayed.Address}", $"{bob.Relayed.Address}"));
            await alice.PermitAsync(bob.Relayed);
            await bob.PermitAsync(alice.Relayed);
            await alice.SendAsync(bob.Relayed, "hello");
            Assert.Equal((alice.Relayed, "hello"), await bob.ReceiveAsync());
            await bob.SendAsync(alice.Relayed, "hello yourself");
            Assert.Equal((bob.Relayed, "hello yourself"), await alice.ReceiveAsync());

            await alice.BindAsync(bob.Relayed);
            await bob.BindAsync(alice.Relayed);
            for (var i = 0; i < 20; i++) await alice.SendOnChannelAsync($"{i}");
            for (var i = 0; i < 20; i++) Assert.Equal($"{i}", await bob.ReceiveOnChannelAsync());

            // A peer outside is reached as before.
            await alice.AssertReachesAsync(client, two);
        }
    }

    [Fact]
    public async Task Connections_GoBetweenTwoRelays_UnderTheirPublicAddresses()
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        await using var turn = await server.StartTurnAsync(Users.Settings(
            ("Turn__ListenAddress", "20.77.0.1"), ("Turn__PublicAddress", "20.99.0.1"), ("Turn__TcpRelays", "true")));
        var to = IPEndPoint.Parse("20.77.0.1:3478");
        await using var alice = await Caller.AllocateAsync(await client.TcpClientAsync(to, Users.Alice), StunRequest.TcpTransport);
        await using var bob = await Caller.AllocateAsync(await client.TcpClientAsync(to, Users.Alice), StunRequest.TcpTransport);
        Assert.Equal("20.99.0.1", $"{alice.Relayed.Address}");
        await bob.PermitAsync(alice.Relayed);

        var connected = await alice.Client.RequestAsync(StunMethod.Connect, StunRequest.Peer(bob.Relayed));
        Assert.Equal(StunError.None, connected.Error);
        var attempt = await bob.Client.ReceiveStunAsync();
        Assert.Equal(alice.Relayed, attempt.Address(StunAttributeType.XorPeerAddress).ToIPEndPoint());

        await using var ofAlice = await BindAsync(client, to, connected);
        await using var ofBob = await BindAsync(client, to, attempt);
        await ofAlice.Stream.WriteAsync("hello"u8.ToArray(), TestContext.Current.CancellationToken);
        var received = new byte[5];
        await ofBob.Stream.ReadExactlyAsync(received, TestContext.Current.CancellationToken);
        Assert.Equal("hello"u8.ToArray(), received);
    }

    /// <summary>The bound addresses are in a denied range, as behind most NATs. Only relays are reached there.</summary>
    [Fact]
    public async Task PrivateAddressOfTheServer_DoesNotCloseItsRelays()
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        await server.AddAddressAsync("10.0.0.5/24", "eth0");
        await client.AddAddressAsync("10.0.0.101/24", "eth0");
        await using var turn = await server.StartTurnAsync(Users.Settings(
            ("Turn__ListenAddress", "10.0.0.5"), ("Turn__PublicAddress", "20.99.0.1")));
        var to = IPEndPoint.Parse("10.0.0.5:3478");
        await using var alice = await Caller.AllocateAsync(client.UdpClient("10.0.0.101", to, Users.Alice));
        await using var bob = await Caller.AllocateAsync(client.UdpClient("10.0.0.101", to, Users.Alice));
        await alice.BindAsync(bob.Relayed);
        await bob.BindAsync(alice.Relayed);
        await alice.SendOnChannelAsync("hello");
        Assert.Equal("hello", await bob.ReceiveOnChannelAsync());

        Assert.Equal(StunError.Forbidden, (await alice.Client.PermitAsync(IPEndPoint.Parse("10.0.0.101:9"))).Error);
        Assert.Equal(StunError.Forbidden, (await alice.Client.BindAsync(0x4001, IPEndPoint.Parse("10.0.0.5:9"))).Error);
        Assert.Equal(StunError.Forbidden, (await alice.Client.BindAsync(0x4001, IPEndPoint.Parse("20.99.0.1:9"))).Error);
    }

    [Fact]
    public async Task EachAddressOfTheMachine_HasItsOwnPublicAddress()
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        await server.AddAddressAsync("20.77.0.2/24", "eth0");
        await server.AddAddressAsync("20.77.0.3/24", "eth0");
        await using var turn = await server.StartTurnAsync(Users.Settings(
            ("Turn__ListenAddress", "0.0.0.0"), ("Turn__PublicAddress", "20.99.0.1/20.77.0.1,20.99.0.2/20.77.0.2")));
        List<Caller> callers = [];
        foreach (var (to, expected) in new[] { ("20.77.0.1", "20.99.0.1"), ("20.77.0.2", "20.99.0.2"), ("20.77.0.3", "20.77.0.3") })
        {
            callers.Add(await Caller.AllocateAsync(
                client.UdpClient("20.77.0.101", new IPEndPoint(IPAddress.Parse(to), 3478), Users.Alice)));
            Assert.Equal(expected, $"{callers[^1].Relayed.Address}");
        }

        foreach (var one in callers)
        {
            foreach (var other in callers.Where(other => other != one))
            {
                await one.PermitAsync(other.Relayed);
                await other.PermitAsync(one.Relayed);
                await one.SendAsync(other.Relayed, "hello");
                Assert.Equal((one.Relayed, "hello"), await other.ReceiveAsync());
            }
        }

        foreach (var caller in callers) await caller.DisposeAsync();
    }

    [Fact]
    public async Task PublicAddress_MayBeAName()
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        server.WriteHosts("127.0.0.1 localhost\n20.99.0.7 turn.example.org\n");
        await using var turn = await server.StartTurnAsync(Users.Settings(
            ("Turn__ListenAddress", "20.77.0.1"), ("Turn__PublicAddress", "turn.example.org")));
        await using var caller = await Caller.AllocateAsync(
            client.UdpClient("20.77.0.101", IPEndPoint.Parse("20.77.0.1:3478"), Users.Alice));

        Assert.Equal("20.99.0.7", $"{caller.Relayed.Address}");
    }

    private static async Task<StunTestClient> BindAsync(Machine client, IPEndPoint server, StunAnswer connection)
    {
        var stream = await client.TcpClientAsync(server, Users.Alice);
        var id = connection.Value(StunAttributeType.ConnectionId);
        var answer = await stream.RequestAsync(StunMethod.ConnectionBind, StunRequest.Value(StunAttributeType.ConnectionId, id));
        Assert.Equal(StunError.None, answer.Error);
        return stream;
    }
}
