using System.Diagnostics;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Abuse.Findings;

/// <summary>What a guest does with the relay: S12, S13, S15 and S27.</summary>
internal static class Relay
{
    private const int PacketLength = 1200;
    // Three seconds of a limit of 1,000 packets a second, and its burst.
    private const int MostRelayed = 6_000;
    private static readonly TimeSpan FloodTime = TimeSpan.FromSeconds(3);

    // 100 packets every 10 ms are ten times the limit, and not more than a receiver reads.
    private const int Burst = 100;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    public static IReadOnlyList<Finding> All { get; } =
    [
        new("S12", targets => FloodAsync(targets, isThirdParty: false)),
        new("S13", async targets => Verdict.All(await ServicesOfThisMachine(targets), await TcpServices(targets))),
        new("S15", AfterSigningOut),
        new("S27", targets => FloodAsync(targets, isThirdParty: true)),
    ];

    /// <summary>
    /// A guest sends ten times the limit through one allocation to another of the same server. As the third party it sends to a relay that
    /// has a permission for another peer at this address.
    /// </summary>
    private static async Task<Verdict> FloodAsync(Targets targets, bool isThirdParty)
    {
        using var attackerSession = await Page.GuestAsync(targets.Gateway);
        using var victimSession = await Page.GuestAsync(targets.Gateway);
        var (attacking, attacked) = (await attackerSession.TurnTokenAsync(), await victimSession.TurnTokenAsync());
        await using var attacker = await TurnClient.ConnectAsync(attacking.Udp);
        await using var victim = await TurnClient.ConnectAsync(attacked.Udp, new TurnClientOptions { ReceiveQueueLength = 100_000 });
        await using var from = await attacker.AllocateAsync(attacking.Credential);
        await using var to = await victim.AllocateAsync(attacked.Credential);
        if (isThirdParty)
        {
            await using var friend = await TurnClient.ConnectAsync(attacked.Udp);
            await using var friends = await friend.AllocateAsync(attacked.Credential);
            await to.BindChannelAsync(friends.RelayedAddress);
        }
        else
        {
            await to.CreatePermissionAsync(from.RelayedAddress.Address);
        }

        await from.BindChannelAsync(to.RelayedAddress);
        var (sent, arrived) = await FloodAsync(from, to);
        await attackerSession.SignOutAsync();
        await victimSession.SignOutAsync();
        return Verdict.If(arrived <= MostRelayed, string.Create(CultureInfo.InvariantCulture,
            $"{arrived} of {sent} datagrams of {(isThirdParty ? "a third party" : "a guest")} arrived in 3 s "
            + $"({arrived * PacketLength * 8 / 3e6:0} Mbit/s)"));
    }

    private static async Task<(int Sent, int Arrived)> FloodAsync(TurnAllocation from, TurnAllocation to)
    {
        var packet = new byte[PacketLength];
        var sent = 0;
        var arrived = 0;
        using var stop = new CancellationTokenSource();
        var reading = Task.Run(async () =>
        {
            try
            {
                while (await to.Received.WaitToReadAsync(stop.Token))
                    while (to.Received.TryRead(out _)) arrived++;
            }
            catch (Exception error) when (error is OperationCanceledException or TurnException)
            {
                // Enough.
            }
        });
        for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < FloodTime; await Task.Delay(Pause))
        {
            for (var i = 0; i < Burst; i++, sent++) await from.SendAsync(packet, to.RelayedAddress);
        }

        await Task.Delay(300);
        await stop.CancelAsync();
        await reading;
        return (sent, arrived);
    }

    /// <summary>UDP services at the address of the relays: one outside the ports of relays, and one among them.</summary>
    private static async Task<Verdict> ServicesOfThisMachine(Targets targets)
    {
        using var session = await Page.GuestAsync(targets.Gateway);
        var token = await session.TurnTokenAsync();
        await using var client = await TurnClient.ConnectAsync(token.Udp);
        await using var allocation = await client.AllocateAsync(token.Credential);
        List<string> reached = [];
        foreach (var (name, port) in (((string, int)[])[("a UDP service", Ports.Free()), ("a port among those of relays", 0)]))
        {
            using var service = port == 0 ? BindAmongRelays(allocation) : Bind(allocation, port);
            if (await ReachesAsync(allocation, service)) reached.Add(name);
        }

        await session.SignOutAsync();
        return Verdict.If(reached.Count == 0, reached.Count == 0
            ? "no UDP service of this machine was reached" : $"a guest reached {string.Join(" and ", reached)} of this machine");
    }

    private static UdpClient Bind(TurnAllocation allocation, int port) => new(new IPEndPoint(allocation.RelayedAddress.Address, port));

    private static UdpClient BindAmongRelays(TurnAllocation allocation)
    {
        for (var port = 65_000; ; port--)
        {
            try
            {
                return Bind(allocation, port);
            }
            catch (SocketException) when (port > 64_000)
            {
                // Taken: try the next one.
            }
        }
    }

    private static async Task<bool> ReachesAsync(TurnAllocation allocation, UdpClient service)
    {
        var peer = (IPEndPoint)service.Client.LocalEndPoint!;
        try
        {
            await allocation.CreatePermissionAsync(peer.Address);
        }
        catch (TurnException)
        {
            return false;
        }

        for (var i = 0; i < 3; i++) await allocation.SendAsync("hello"u8.ToArray(), peer);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        try
        {
            await service.ReceiveAsync(patience.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>An operator allows TCP relays, and then also the loopback address as a peer.</summary>
    private static async Task<Verdict> TcpServices(Targets targets) =>
        Verdict.All(await TcpServices(targets, null), await TcpServices(targets, "127.0.0.1/32"));

    private static async Task<Verdict> TcpServices(Targets targets, string? allowed)
    {
        var own = await targets.OwnAsync();
        var port = Ports.Free();
        var settings = own.TurnSettings(port);
        settings["Turn__TcpRelays"] = "true";
        if (allowed is not null) settings["Turn__AllowedPeers__0"] = allowed;
        try
        {
            await using var turn = await Part.StartAsync("Turn", settings);
            using var session = await Page.GuestAsync(own.Wwsf.Address);
            var token = await session.TurnTokenAsync();
            using var relay = new TcpTurn(await Connection.OpenAsync("127.0.0.1", port), token.Username, token.Password);
            var allocated = await relay.AllocateAsync();
            if (allocated != StunError.None) throw new InvalidDataException($"a TCP allocation is refused with {(int)allocated}");
            var connected = await relay.ConnectAsync(new IPEndPoint(IPAddress.Loopback, own.EpCscf.Port));
            return Verdict.If(connected != StunError.None, connected == StunError.None
                ? $"a guest connected to the eP-CSCF through a TCP relay{With(allowed)}"
                : $"a TCP relay{With(allowed)} to a service is refused with {(int)connected}");
        }
        catch (PartException error)
        {
            return Verdict.If(
                error.Message.Contains("TcpRelays", StringComparison.Ordinal), $"TCP relays{With(allowed)}: {error.Message}");
        }

        static string With(string? allowed) => allowed is null ? "" : $" with allowed peers {allowed}";
    }

    /// <summary>A token, and an allocation, of a session that has ended.</summary>
    private static async Task<Verdict> AfterSigningOut(Targets targets)
    {
        var own = await targets.OwnAsync();
        using var session = await Page.GuestAsync(own.Wwsf.Address);
        var token = await session.TurnTokenAsync();
        await using var client = await TurnClient.ConnectAsync(token.Udp);
        await using var allocation = await client.AllocateAsync(token.Credential);
        await session.SignOutAsync();
        var refreshed = !await Wait.UntilAsync(() => FailsAsync(() => allocation.RefreshAsync()), TimeSpan.FromSeconds(5));
        var allocated = !await FailsAsync(async () =>
        {
            await using var later = await TurnClient.ConnectAsync(token.Udp);
            await using var again = await later.AllocateAsync(token.Credential);
        });
        return Verdict.If(!refreshed && !allocated,
            $"after signing out, Refresh {(refreshed ? "succeeds" : "fails")} and Allocate {(allocated ? "succeeds" : "fails")}");
    }

    private static async Task<bool> FailsAsync(Func<Task> act)
    {
        try
        {
            await act();
            return false;
        }
        catch (Exception error) when (error is TurnException or ObjectDisposedException)
        {
            return true;
        }
    }
}
