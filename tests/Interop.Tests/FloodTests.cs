using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Interop.Tests;

/// <summary>
/// First requests without credentials from a hundred thousand addresses: the server keeps nothing, and serves its clients.
/// </summary>
public sealed class FloodTests
{
    private const int Sources = 100_000;
    private const int WarmUp = 100_000;
    private const int BytesPerMegabyte = 1 << 20;

    private static readonly byte[] Allocate = StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Requirement("ABUSE-30")]
    [Requirement("ABUSE-18")]
    public async Task HundredThousandStrangers_LeaveNothing_AndClientsAreServedMeanwhile()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux lets a socket be bound to each address of 127.0.0.0/8");
        await using var server =
            await TurnServerProcess.StartAsync(("Turn__StaticUsers__0__Name", "u"), ("Turn__StaticUsers__0__Password", "p"));
        await using var first = await ConnectAsync(server);
        await using var second = await ConnectAsync(server);
        var (here, there) = (await AllocateAsync(first), await AllocateAsync(second));
        await here.CreatePermissionAsync(there.RelayedAddress.Address, Cancel);
        await there.CreatePermissionAsync(here.RelayedAddress.Address, Cancel);

        // The first flood compiles code and fills buffers. So only the growth during the second flood counts.
        await ServeDuringAsync(Task.Run(() => Flood(server.Port, first: 0, WarmUp), Cancel), server, here, there);
        var before = ResidentBytes(server.Id);
        var served = await ServeDuringAsync(Task.Run(() => Flood(server.Port, WarmUp, Sources), Cancel), server, here, there);

        var grown = ResidentBytes(server.Id) - before;
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{Sources} strangers, {served} datagrams relayed meanwhile, resident memory grew by {grown / 1024} KiB");
        Assert.True(grown < 5 * BytesPerMegabyte, $"resident memory grew by {grown / 1024} KiB");
    }

    /// <summary>One request from each of so many addresses of 127.0.0.0/8, each over a socket and a port of its own.</summary>
    private static void Flood(int port, int first, int count)
    {
        var server = new IPEndPoint(IPAddress.Loopback, port);
        Span<byte> source = stackalloc byte[4];
        for (var i = first; i < first + count; i++)
        {
            BinaryPrimitives.WriteInt32BigEndian(source, (127 << 24) + (1 << 16) + i);
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            socket.Bind(new IPEndPoint(new IPAddress(source), 0));
            socket.SendTo(Allocate, server);
        }
    }

    private static Task<TurnClient> ConnectAsync(TurnServerProcess server) =>
        TurnClient.ConnectAsync(TurnUri.Parse($"turn:127.0.0.1:{server.Port}"), cancellationToken: Cancel);

    private static Task<TurnAllocation> AllocateAsync(TurnClient client) =>
        client.AllocateAsync(TurnCredential.LongTerm("u", "p"), cancellationToken: Cancel);

    /// <summary>Relays datagrams, and now and then lets a client come and go, until the flood is over; how many were relayed.</summary>
    private static async Task<int> ServeDuringAsync(Task flood, TurnServerProcess server, TurnAllocation here, TurnAllocation there)
    {
        var served = 0;
        do
        {
            await ExchangeAsync(here, there);
            if (served++ % 50 == 0) await AllocateAndLeaveAsync(server);
        }
        while (!flood.IsCompleted);
        await flood;
        return served;
    }

    private static async Task AllocateAndLeaveAsync(TurnServerProcess server)
    {
        await using var newcomer = await ConnectAsync(server);
        await AllocateAsync(newcomer);
    }

    // UDP may lose a datagram under the flood; media would go on with the next.
    private static async Task ExchangeAsync(TurnAllocation here, TurnAllocation there)
    {
        for (var attempt = 0; attempt < 50; attempt++)
        {
            await here.SendAsync("relayed"u8.ToArray(), there.RelayedAddress, Cancel);
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            patience.CancelAfter(TimeSpan.FromMilliseconds(200));
            try
            {
                await there.Received.ReadAsync(patience.Token);
                return;
            }
            catch (OperationCanceledException) when (!Cancel.IsCancellationRequested)
            {
                // Lost.
            }
        }

        Assert.Fail("nothing is relayed during the flood");
    }

    private static long ResidentBytes(int process)
    {
        var line = File.ReadLines($"/proc/{process}/status").Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }
}
