using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Transport.Linux.IoUring;
using WebRtcIms.Turn.Transport.Linux.Native;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>What every way to receive and send must do, against the running server.</summary>
public sealed class BackEndTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>
    /// Equal and unequal lengths, so that some are cut by the kernel and some are not; more than the server has buffers for; both
    /// directions at once.
    /// </summary>
    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("RFC8656-11.3")]
    public async Task Bursts_ArriveWholeAndInOrder_InBothDirections(string transport)
    {
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings(("Turn__Transport", transport)));
        await using var client = await BoundAsync(server);
        for (var round = 0; round < 10; round++)
        {
            var payloads = Enumerable.Range(0, 40).Select(i => Payload((round * 40) + i, i % 10 == 9 ? 100 + i : 300)).ToList();
            foreach (var payload in payloads)
            {
                client.Socket.Send(ClientAndPeer.OnChannel(payload));
                client.Peer.Client.SendTo(payload, client.Relayed);
            }

            foreach (var payload in payloads)
            {
                Assert.Equal(payload, (await client.Peer.ReceiveAsync(Cancel)).Buffer);
                Assert.Equal(ClientAndPeer.OnChannel(payload), await client.Client.ReceiveAsync());
            }
        }
    }

    /// <summary>
    /// A sender that lets the kernel cut (UDP_SEGMENT) is one whose datagrams stay together as far as the server's socket; forty at a
    /// time are more than the server sends at once, and the last of them is shorter.
    /// </summary>
    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("RFC8656-11.3")]
    public async Task DatagramsThatTheKernelKeptTogether_ArriveOneByOne_InBothDirections(string transport)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "UDP_SEGMENT is Linux's");
        const int Size = 1200, Last = 100, Count = 40;
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings(("Turn__Transport", transport)));
        await using var client = await BoundAsync(server);
        CutInto(client.Socket, ClientAndPeer.OnChannel(new byte[Size]).Length);
        CutInto(client.Peer.Client, Size);
        for (var round = 0; round < 10; round++)
        {
            var payloads = Enumerable.Range(0, Count).Select(i => Payload((round * Count) + i, i == Count - 1 ? Last : Size)).ToList();
            client.Socket.Send([.. payloads.SelectMany(payload => ClientAndPeer.OnChannel(payload))]);
            client.Peer.Client.SendTo([.. payloads.SelectMany(payload => payload)], client.Relayed);
            foreach (var payload in payloads)
            {
                Assert.Equal(payload, (await client.Peer.ReceiveAsync(Cancel)).Buffer);
                Assert.Equal(ClientAndPeer.OnChannel(payload), await client.Client.ReceiveAsync());
            }
        }

        static void CutInto(Socket socket, int size) =>
            socket.SetRawSocketOption(Libc.LevelUdp, Libc.UdpSegment, BitConverter.GetBytes(size));
    }

    /// <summary>Longer than any frame: the sender's kernel has made fragments of each, and the receiver's has joined them.</summary>
    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("CLIENT-5")]
    public async Task LongestDatagramsOfUdp_ArriveWhole_InBothDirections(string transport)
    {
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings(
            ("Turn__Transport", transport), ("Turn__Quotas__BytesPerSecond", "0")));
        await using var client = await BoundAsync(server);
        client.Socket.SendBufferSize = client.Peer.Client.SendBufferSize = 1 << 20;
        client.Socket.ReceiveBufferSize = client.Peer.Client.ReceiveBufferSize = 1 << 20;
        var number = 0;

        // Four octets of a channel's header make the last one 65,507.
        foreach (var length in new[] { 9216, 9217, 16_385, 40_000, 65_503 })
        {
            for (var i = 0; i < 3; i++)
            {
                var payload = Payload(++number, length);
                client.Socket.Send(ClientAndPeer.OnChannel(payload));
                client.Peer.Client.SendTo(payload, client.Relayed);
                Assert.Equal(payload, (await client.Peer.ReceiveAsync(Cancel).AsTask().WaitAsync(Patience, Cancel)).Buffer);
                Assert.Equal(ClientAndPeer.OnChannel(payload), await client.Client.ReceiveAsync());
            }
        }
    }

    /// <summary>They come together, so the relay may be gone before what was to leave by it is sent.</summary>
    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("RFC8656-8.2")]
    public async Task DatagramsJustBeforeTheDelete_StillArrive(string transport)
    {
        const int Datagrams = 20;
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings(("Turn__Transport", transport)));
        for (var round = 0; round < 20; round++)
        {
            await using var client = await BoundAsync(server);
            for (var i = 0; i < Datagrams; i++) client.Socket.Send(ClientAndPeer.OnChannel(Payload(i, 100)));
            Assert.True((await client.DeleteAsync()).IsSuccess);
            for (var i = 0; i < Datagrams; i++)
            {
                var arrived = await client.Peer.ReceiveAsync(Cancel).AsTask().WaitAsync(TimeSpan.FromSeconds(30), Cancel);
                Assert.Equal(Payload(i, 100), arrived.Buffer);
            }
        }
    }

    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("RFC8656-8.2")]
    public async Task PortOfADeletedAllocation_IsFreeAgain(string transport)
    {
        const int Ports = 4;
        var first = FreePorts.Range(Ports);
        await using var server = await TurnServerProcess.StartAsync(
        [
            .. Alice.Settings(("Turn__Transport", transport)),
            ("Turn__RelayPorts__Min", first.ToString(CultureInfo.InvariantCulture)),
            ("Turn__RelayPorts__Max", (first + Ports - 1).ToString(CultureInfo.InvariantCulture)),
        ]);
        for (var i = 0; i < 5 * Ports; i++)
        {
            await using var client = new ClientAndPeer(server);
            while (await client.AllocateAsync() != StunError.None) await Task.Delay(5, Cancel);
            Assert.True((await client.DeleteAsync()).IsSuccess);
        }

        Assert.False(server.HasExited);
    }

    [Fact]
    public async Task IoUring_IsUsedWhereTheKernelHasIt_AndEpollElsewhere()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "io_uring is Linux's");
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings(("Turn__Transport", "IoUring")));

        var problem = IoUringProbe.Run();
        await server.WaitForOutputAsync(problem is null ? "io_uring workers)" : "epoll workers)");
        if (problem is not null) await server.WaitForOutputAsync(problem);
    }

    /// <summary>
    /// A count of the whole process, so a little is allowed for what else runs there: an object per datagram would be more.
    /// </summary>
    [Theory]
    [InlineData("Epoll")]
    [InlineData("IoUring")]
    [InlineData("Portable")]
    [Requirement("RFC8656-11.3")]
    public async Task RelayedDatagrams_MakeNoGarbage(string transport)
    {
        const int Datagrams = 20_000;
        const int Most = 12;
        var port = FreePorts.Tcp();
        await using var server = await TurnServerProcess.StartAsync(
        [
            .. Alice.Settings(
                ("Turn__Transport", transport), ("Turn__Quotas__PacketsPerSecond", "0"), ("Turn__Quotas__BytesPerSecond", "0")),
            ("Prometheus__Port", port.ToString(CultureInfo.InvariantCulture)),
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{port}"),
        ]);
        await using var client = await BoundAsync(server);
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };

        Relay(client, Datagrams);
        await AllocatedAsync(http);
        var before = await AllocatedAsync(http);
        Relay(client, Datagrams);
        var after = await AllocatedAsync(http);

        Assert.InRange(after - before, 0, Datagrams * 2 * Most);
    }

    /// <summary>Up and down again, sixteen on their way at most.</summary>
    private static void Relay(ClientAndPeer client, int datagrams)
    {
        var message = ClientAndPeer.OnChannel(new byte[100]);
        var buffer = new byte[2048];
        client.Socket.ReceiveTimeout = client.Peer.Client.ReceiveTimeout = 20_000;
        for (var sent = 0; sent < datagrams; sent += 16)
        {
            for (var i = 0; i < 16; i++) client.Socket.Send(message);
            for (var i = 0; i < 16; i++)
            {
                Assert.Equal(100, client.Peer.Client.Receive(buffer));
                client.Peer.Client.SendTo(buffer.AsSpan(0, 100), client.Relayed);
            }

            for (var i = 0; i < 16; i++) Assert.Equal(104, client.Socket.Receive(buffer));
        }
    }

    private static async Task<double> AllocatedAsync(HttpClient http)
    {
        var text = await http.GetStringAsync("/metrics", Cancel);
        var line = text.Split('\n').Single(line => line.StartsWith("dotnet_gc_heap_total_allocated", StringComparison.Ordinal));
        return double.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
    }

    private static async Task<ClientAndPeer> BoundAsync(TurnServerProcess server)
    {
        var client = new ClientAndPeer(server);
        Assert.Equal(StunError.None, await client.AllocateAsync());
        Assert.True((await client.BindAsync()).IsSuccess);
        return client;
    }

    private static byte[] Payload(int number, int length)
    {
        var payload = new byte[length];
        BinaryPrimitives.WriteInt32BigEndian(payload, number);
        return payload;
    }
}
