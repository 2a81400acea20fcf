using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>Connections of strangers to the running server, which may open few files in some of these tests.</summary>
public sealed class StrangerTests
{
    private const int Descriptors = 400;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.66")]
    [Requirement("SEC-2")]
    [Requirement("ABUSE-57")]
    public async Task SilentStreams_LeaveDescriptorsForHealthAndForAllocations(string address)
    {
        using var certificate = new TestCertificate();
        await using var server =
            await TurnServerProcess.StartWithDescriptorsAsync(Descriptors, Alice.Settings([.. certificate.Settings]));
        var strangers = new List<Socket>();
        try
        {
            for (var i = 0; i < 150; i++) strangers.Add(await ConnectAsync(address, i % 2 == 0 ? server.Port : server.TlsPort));
            for (var i = 0; i < 5; i++)
            {
                await AssertIsHealthyAsync(server);
                await using var client = Alice.Udp(IPAddress.Loopback, server.Port);
                Assert.True((await client.AllocateAsync()).IsSuccess);
                await Task.Delay(200, Cancel);
            }

            await using var stream = await Alice.TcpAsync(server.Port);
            Assert.True((await stream.AllocateAsync()).IsSuccess);
            Assert.InRange(OpenFilesOf(server), 1, Descriptors - 30);
        }
        finally
        {
            strangers.ForEach(stranger => stranger.Dispose());
        }

        Assert.False(server.HasExited, server.Output);
        await server.WaitForOutputAsync("The limit of open files (ulimit -n) is 400");
    }

    [Fact]
    [Requirement("SEC-2")]
    [Requirement("ABUSE-57")]
    public async Task AllocationsBeyondTheDescriptors_Get508_AndHealthAnswers()
    {
        await using var server = await TurnServerProcess.StartWithDescriptorsAsync(Descriptors, Alice.Settings(
            ("Turn__Quotas__PerUser", "1000")));
        var clients = new List<StunTestClient>();
        try
        {
            var last = StunError.None;
            while (last == StunError.None && clients.Count < Descriptors)
            {
                clients.Add(Alice.Udp(IPAddress.Loopback, server.Port));
                last = (await clients[^1].AllocateAsync()).Error;
            }

            Assert.Equal(StunError.InsufficientCapacity, last);
            Assert.InRange(clients.Count, 10, Descriptors);
            await AssertIsHealthyAsync(server);
            await server.WaitForOutputAsync("Allocates get 508: no file descriptor is left for a relay. The limit (ulimit -n) is 400");

            Assert.True((await clients[0].RequestAsync(StunMethod.Refresh, StunRequest.Lifetime(0))).IsSuccess);
            Assert.True((await clients[^1].AllocateAsync()).IsSuccess);
        }
        finally
        {
            foreach (var client in clients) await client.DisposeAsync();
        }
    }

    [Theory]
    [InlineData(90)]
    [InlineData(150)]
    [InlineData(200)]
    [InlineData(256)]
    [InlineData(350)]
    [Requirement("ABUSE-57")]
    [Requirement("CLIENT-6")]
    public async Task LimitThatLeavesNothing_IsAReasonNotToStart(int limit)
    {
        var prlimit = Tools.Require("prlimit", "util-linux");
        var start = new ProcessStartInfo(prlimit,
            [$"--nofile={limit}:{limit}", "dotnet", Path.Combine(AppContext.BaseDirectory, "WebRtcIms.Turn.dll")])
        { RedirectStandardError = true };
        foreach (var (name, value) in Alice.Settings(("Turn__Port", $"{FreePorts.TcpAndUdp()}"))) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = await process.StandardError.ReadToEndAsync(Cancel);
        await process.WaitForExitAsync(Cancel);

        Assert.Equal(1, process.ExitCode);
        Assert.Contains("TURN cannot start", output, StringComparison.Ordinal);
        Assert.Contains($"The limit of open files (ulimit -n) is {limit}; ", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("NET-08")]
    public async Task AllocationsBeyondThePorts_Get508_OthersGoOn_AndTheLogSaysIt()
    {
        const int Ports = 4;
        var first = FreePorts.TcpAndUdp();
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings(
            ("Turn__RelayPorts__Min", $"{first}"), ("Turn__RelayPorts__Max", $"{first + Ports - 1}")));
        await server.WaitForOutputAsync($"Turn:RelayPorts has the {Ports} ports from {first} to {first + Ports - 1}");
        var clients = new List<StunTestClient>();
        try
        {
            var last = StunError.None;
            while (last == StunError.None && clients.Count <= Ports)
            {
                clients.Add(Alice.Udp(IPAddress.Loopback, server.Port));
                last = (await clients[^1].AllocateAsync()).Error;
            }

            Assert.Equal(StunError.InsufficientCapacity, last);
            await server.WaitForOutputAsync($"Allocates get 508: no port from {first} to {first + Ports - 1} is free");
            await AssertIsHealthyAsync(server);
            Assert.True((await clients[0].RequestAsync(StunMethod.Refresh)).IsSuccess);
            Assert.True((await clients[0].RequestAsync(StunMethod.Refresh, StunRequest.Lifetime(0))).IsSuccess);
            Assert.True((await clients[^1].AllocateAsync()).IsSuccess);
        }
        finally
        {
            foreach (var client in clients) await client.DisposeAsync();
        }
    }

    [Fact]
    [Requirement("SEC-2")]
    public async Task OneAddress_HasItsShareOfStreams_AndOthersAreServed()
    {
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings());
        using var other = await ConnectAsync("127.0.0.1", server.Port);
        await using var allocated = await Alice.TcpAsync(server.Port);
        Assert.True((await allocated.AllocateAsync()).IsSuccess);
        var strangers = new List<Socket>();
        try
        {
            for (var i = 0; i < 120; i++) strangers.Add(await ConnectAsync("127.0.0.66", server.Port));
            foreach (var oldest in strangers.Take(20)) Assert.Equal(0, await ReceiveAsync(oldest));

            await strangers[20].SendAsync(StunRequest.Plain(StunMethod.Binding), Cancel);
            Assert.NotEqual(0, await ReceiveAsync(strangers[20]));
            await other.SendAsync(StunRequest.Plain(StunMethod.Binding), Cancel);
            Assert.NotEqual(0, await ReceiveAsync(other));
            Assert.True((await allocated.RequestAsync(StunMethod.Refresh)).IsSuccess);
        }
        finally
        {
            strangers.ForEach(stranger => stranger.Dispose());
        }
    }

    [Fact]
    [Requirement("SEC-2")]
    public async Task StreamsThatEnd_LeaveNoDescriptor()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the descriptors of another process can be counted on Linux only");
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings());
        await OpenAndEndAsync(server, 10);
        await AssertIsHealthyAsync(server);
        var before = OpenFilesOf(server);

        await OpenAndEndAsync(server, 300);
        var started = TimeProvider.System.GetTimestamp();
        while (OpenFilesOf(server) > before + 5 && TimeProvider.System.GetElapsedTime(started) < Patience) await Task.Delay(100, Cancel);
        Assert.InRange(OpenFilesOf(server), 1, before + 5);
    }

    // Some are closed by the client, some reset, some evicted by the server.
    private static async Task OpenAndEndAsync(TurnServerProcess server, int count)
    {
        List<Socket> strangers = [];
        for (var i = 0; i < count; i++)
        {
            strangers.Add(await ConnectAsync($"127.0.0.{(i % 2) + 1}", server.Port));
            if (i % 3 == 0) await strangers[^1].SendAsync(StunRequest.Plain(StunMethod.Allocate), Cancel);
            if (i % 5 == 0) strangers[^1].LingerState = new LingerOption(true, 0);
        }

        strangers.ForEach(stranger => stranger.Dispose());
    }

    // The server accepts at two ports side by side. So it can admit, from the queue of one port, connections that are older than this one,
    // and close this one for them before the connect has returned here.
    private static async Task<Socket> ConnectAsync(string from, int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port, Cancel);
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionReset)
        {
            // The stream has ended, as reading from it shows.
        }

        return socket;
    }

    /// <summary>Octets that came; 0 at the end of the stream.</summary>
    private static async Task<int> ReceiveAsync(Socket socket)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Patience);
        try
        {
            return await socket.ReceiveAsync(new byte[1000], limit.Token);
        }
        catch (SocketException)
        {
            // A reset is also an end.
            return 0;
        }
    }

    private static async Task AssertIsHealthyAsync(TurnServerProcess server)
    {
        // A new connection each time, as a probe makes one.
        using var http = new HttpClient { Timeout = Patience };
        var health = await http.GetAsync(
            new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{server.ManagementPort}/health")), Cancel);
        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
    }

    private static int OpenFilesOf(TurnServerProcess server) => Directory.GetFileSystemEntries($"/proc/{server.Id}/fd").Length;
}
