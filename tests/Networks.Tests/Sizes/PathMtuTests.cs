using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using WebRtcIms.Networks.Tests.Namespaces;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Networks.Tests.Sizes;

/// <summary>
/// Paths whose MTU is smaller than that of the interface: of tunnels, and of routers on the way. What arrives one at a time must also
/// arrive in a burst.
/// </summary>
public sealed class PathMtuTests
{
    private const int Burst = 10;
    private const int Bursts = 5;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>.101 has the MTU of the wire, 1500; .102 has 1280, and .103 has 576, which IPv6 does not allow.</summary>
    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("NET-01")]
    public async Task DatagramsOfEachLength_ReachClientsAndPeersOnEachPath_AloneAndInBursts(string transport)
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        await server.IpAsync("route", "add", "20.77.0.102/32", "dev", "eth0", "mtu", "1280");
        await server.IpAsync("route", "add", "20.77.0.103/32", "dev", "eth0", "mtu", "576");
        await server.IpAsync("route", "add", "2a77::102/128", "dev", "eth0", "mtu", "1280");
        await using var turn = await StartAsync(server, transport);
        string[] hosts = ["20.77.0.101", "20.77.0.102", "20.77.0.103", "2a77::101", "2a77::102"];

        // Small paths first, so that what the server has learned of them would show on the others.
        foreach (var host in hosts.Reverse())
        {
            await using var alice = client.UdpClient(host, new IPEndPoint(OfServer(host), turn.Port), Users.Alice);
            var relayed = await AllocateAsync(alice);
            ushort channel = 0x4000;
            foreach (var peerHost in hosts.Reverse().Where(other => IsSameFamily(other, host)))
            {
                channel++;
                using var peer = client.Udp(peerHost);
                peer.Client.ReceiveTimeout = 5_000;
                foreach (var number in new ushort?[] { null, channel })
                {
                    if (number is not null) Assert.True((await alice.BindAsync(channel, EndPointOf(peer))).IsSuccess);
                    else Assert.True((await alice.PermitAsync(EndPointOf(peer))).IsSuccess);
                    foreach (var length in new[] { 500, 541, 1200, 1249, 1300, 1400 })
                    {
                        AssertRelays(alice, peer, relayed, number, length, count: 1, areTogether: false);
                        AssertRelays(alice, peer, relayed, number, length, Burst, areTogether: false);
                        AssertRelays(alice, peer, relayed, number, length, Burst, areTogether: true);
                    }
                }
            }
        }
    }

    /// <summary>A router in front of the far network answers with ICMP, and the errors wait at the relay's socket.</summary>
    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("NET-01")]
    public async Task ErrorsOfOnePath_LoseNoDatagramOfAnother(string transport)
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        var far = await AddFarNetworkAsync(network, server);
        await using var turn = await StartAsync(server, transport);
        foreach (var (host, farHost) in new[] { ("20.77.0.101", "20.78.0.2"), ("2a77::101", "2a78::2") })
        {
            await using var alice = client.UdpClient(host, new IPEndPoint(OfServer(host), turn.Port), Users.Alice);
            await AllocateAsync(alice);
            using var near = client.Udp(host);
            using var distant = far.Udp(farHost);
            var closed = new IPEndPoint(IPAddress.Parse(farHost), 9);
            Assert.True((await alice.BindAsync(0x4000, EndPointOf(near))).IsSuccess);
            Assert.True((await alice.BindAsync(0x4001, EndPointOf(distant))).IsSuccess);
            Assert.True((await alice.BindAsync(0x4002, closed)).IsSuccess);

            // Over IPv6 the first ones are lost: the kernel learns of the path from them.
            for (var i = 0; i < 100 && distant.Available == 0; i++)
            {
                alice.Send(StunRequest.OnChannel(0x4001, new byte[1400]));
                await Task.Delay(100, Cancel);
            }

            while (distant.Available > 0) await distant.ReceiveAsync(Cancel);
            for (var i = 0; i < 100; i++)
            {
                alice.Send(StunRequest.OnChannel(0x4002, new byte[1400]));
                for (var j = 0; j < 3; j++) alice.Send(StunRequest.OnChannel(0x4001, Payload(i, 1400)));
                for (var j = 0; j < 3; j++) alice.Send(StunRequest.OnChannel(0x4000, Payload(i, 1400)));
                for (var j = 0; j < 3; j++) Assert.Equal(Payload(i, 1400), await ReceiveAsync(near));
                for (var j = 0; j < 3; j++) Assert.Equal(Payload(i, 1400), await ReceiveAsync(distant));
            }
        }
    }

    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("NET-01")]
    [Requirement("RFC8656-14-3")]
    public async Task DontFragment_IsOfOneDatagram_AndItsErrorReachesTheClientOnLinux(string transport)
    {
        var (network, server, client) = await TestNetwork.WithClientAsync();
        await using var end = network;
        var far = await AddFarNetworkAsync(network, server);
        await server.IpAsync("route", "add", "20.77.0.102/32", "dev", "eth0", "mtu", "1280");
        await using var turn = await StartAsync(server, transport);
        foreach (var (machine, host) in new[] { (client, "20.77.0.102"), (far, "20.78.0.2") })
        {
            await using var alice = client.UdpClient("20.77.0.101", new IPEndPoint(OfServer("20.77.0.1"), turn.Port), Users.Alice);
            await AllocateAsync(alice);
            using var peer = machine.Udp(host);
            Assert.True((await alice.PermitAsync(EndPointOf(peer))).IsSuccess);

            // The kernel knows the MTU of the route. That of the far network it learns from the first datagram.
            if (machine == far) await alice.SendToAsync(EndPointOf(peer), new byte[1300], DontFragment);
            for (var i = 0; i < 3; i++)
            {
                await alice.SendToAsync(EndPointOf(peer), new byte[1300], DontFragment);
                if (transport != "Portable") AssertIsTooLong(await alice.ReceiveStunAsync(), EndPointOf(peer));
                await alice.SendToAsync(EndPointOf(peer), Payload(i, 1200), DontFragment);
                for (var j = 0; j < Burst; j++) await alice.SendToAsync(EndPointOf(peer), Payload(i, 1300));
                Assert.Equal(Payload(i, 1200), await ReceiveAsync(peer));
                for (var j = 0; j < Burst; j++) Assert.Equal(Payload(i, 1300), await ReceiveAsync(peer));

                // The kernel may report a datagram twice.
                while (alice.Socket.Available > 0) AssertIsTooLong(await alice.ReceiveStunAsync(), EndPointOf(peer));
            }
        }
    }

    private static Task<TurnServerProcess> StartAsync(Machine server, string transport) => server.StartTurnAsync(Users.Settings(
        ("Turn__ListenAddress", "20.77.0.1,2a77::1"), ("Turn__Transport", transport), ("Turn__Workers", "1"),
        ("Turn__Quotas__PacketsPerSecond", "0"), ("Turn__Quotas__BytesPerSecond", "0")));

    /// <summary>A network behind a router, whose MTU is 1280.</summary>
    private static async Task<Machine> AddFarNetworkAsync(TestNetwork network, Machine server)
    {
        var router = await network.AddAsync("router");
        var far = await network.AddAsync("far");
        await server.ConnectAsync("eth1", router, "eth0");
        await router.ConnectAsync("eth1", far, "eth0");
        await router.IpAsync("link", "set", "eth1", "mtu", "1280");
        await far.IpAsync("link", "set", "eth0", "mtu", "1280");
        router.Set("net/ipv4/ip_forward", "1");
        router.Set("net/ipv6/conf/all/forwarding", "1");
        await server.AddAddressAsync("20.79.0.1/24", "eth1");
        await server.AddAddressAsync("2a79::1/64", "eth1");
        await router.AddAddressAsync("20.79.0.2/24", "eth0");
        await router.AddAddressAsync("2a79::2/64", "eth0");
        await router.AddAddressAsync("20.78.0.1/24", "eth1");
        await router.AddAddressAsync("2a78::1/64", "eth1");
        await far.AddAddressAsync("20.78.0.2/24", "eth0");
        await far.AddAddressAsync("2a78::2/64", "eth0");
        await server.IpAsync("route", "add", "20.78.0.0/24", "via", "20.79.0.2");
        await server.IpAsync("route", "add", "2a78::/64", "via", "2a79::2");
        await router.IpAsync("route", "add", "20.77.0.0/24", "via", "20.79.0.1");
        await router.IpAsync("route", "add", "2a77::/64", "via", "2a79::1");
        await far.IpAsync("route", "add", "default", "via", "20.78.0.1");
        await far.IpAsync("-6", "route", "add", "default", "via", "2a78::1");
        return far;
    }

    private static async Task<IPEndPoint> AllocateAsync(StunTestClient alice)
    {
        var isIPv6 = alice.LocalEndPoint.AddressFamily == AddressFamily.InterNetworkV6;
        var answer = await alice.AllocateAsync(
            more: isIPv6 ? StunRequest.Value(StunAttributeType.RequestedAddressFamily, 2, 0, 0, 0) : null);
        Assert.True(answer.IsSuccess);
        return answer.Address(StunAttributeType.XorRelayedAddress).ToIPEndPoint();
    }

    /// <summary>Relays in both directions, one after the other.</summary>
    /// <param name="alice">The client.</param>
    /// <param name="peer">The peer.</param>
    /// <param name="relayed">Where the peer sends to.</param>
    /// <param name="channel">The client's channel; null for indications.</param>
    /// <param name="length">Octets of each payload.</param>
    /// <param name="count">How many datagrams are sent without a pause.</param>
    /// <param name="areTogether">Whether they leave their sender, and reach the server's socket, as one.</param>
    private static void AssertRelays(
        StunTestClient alice, UdpClient peer, IPEndPoint relayed, ushort? channel, int length, int count, bool areTogether)
    {
        for (var round = 0; round < Bursts; round++)
        {
            var payloads = Enumerable.Range(0, count).Select(i => Payload((round * count) + i, length)).ToList();
            var messages = payloads.ConvertAll(payload => channel is { } number
                ? StunRequest.OnChannel(number, payload) : StunRequest.SendIndication(EndPointOf(peer), payload));
            Send(alice.Socket, alice.Socket.RemoteEndPoint!, messages, areTogether);
            foreach (var payload in payloads)
            {
                EndPoint from = new IPEndPoint(IPAddress.IPv6Any, 0);
                var buffer = new byte[2000];
                var received = buffer[..peer.Client.Receive(buffer)];
                Assert.True(payload.AsSpan().SequenceEqual(received), $"{peer.Client.LocalEndPoint} did not get {length} octets");
            }

            Send(peer.Client, relayed, payloads, areTogether);
            foreach (var payload in payloads)
            {
                var message = alice.Receive();
                var received = channel is not null ? message[4..] : new StunAnswer(message).Value(StunAttributeType.Data);
                Assert.True(payload.AsSpan().SequenceEqual(received), $"{alice.LocalEndPoint} did not get {length} octets");
            }
        }
    }

    private static void Send(Socket socket, EndPoint to, List<byte[]> datagrams, bool areTogether)
    {
        if (!areTogether)
        {
            foreach (var datagram in datagrams) SendOne(datagram);
            return;
        }

        // Linux cuts what follows into such datagrams (UDP_SEGMENT); 0 ends it.
        const int LevelUdp = 17, Segment = 103;
        var size = datagrams[0].Length;
        socket.SetRawSocketOption(LevelUdp, Segment, BitConverter.GetBytes(size));
        SendOne([.. datagrams.SelectMany(datagram => datagram)]);
        socket.SetRawSocketOption(LevelUdp, Segment, BitConverter.GetBytes(0));

        void SendOne(byte[] octets)
        {
            if (socket.Connected) socket.Send(octets);
            else socket.SendTo(octets, to);
        }
    }

    private static async Task<byte[]> ReceiveAsync(UdpClient peer)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        try
        {
            return (await peer.ReceiveAsync(limit.Token)).Buffer;
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"{peer.Client.LocalEndPoint} got nothing");
        }
    }

    private static void AssertIsTooLong(StunAnswer indication, IPEndPoint peer)
    {
        Assert.Equal(peer, indication.Address(StunAttributeType.XorPeerAddress).ToIPEndPoint());

        // Type 3, code 4: "fragmentation needed", with the MTU of the path.
        Assert.Equal($"00000604{1280:X8}", Convert.ToHexString(indication.Value(StunAttributeType.Icmp)));
    }

    private static void DontFragment(ref StunMessageWriter message) => message.Write(StunAttributeType.DontFragment, []);

    private static byte[] Payload(int number, int length)
    {
        var payload = new byte[length];
        BinaryPrimitives.WriteInt32BigEndian(payload, number);
        payload[^1] = (byte)length;
        return payload;
    }

    private static IPEndPoint EndPointOf(UdpClient socket) => (IPEndPoint)socket.Client.LocalEndPoint!;

    private static IPAddress OfServer(string host) => IPAddress.Parse(host.Contains(':') ? "2a77::1" : "20.77.0.1");

    private static bool IsSameFamily(string one, string other) => one.Contains(':') == other.Contains(':');
}
