using System.Diagnostics;
using System.Net.WebSockets;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Users;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.AppHost.Tests.Fleet;

/// <summary>
/// The application with <c>--replicas=2</c>: each part is two processes that serve as one.
/// </summary>
[Collection(RunningHosts.Collection)]
public sealed class FleetTests(FleetSystem system) : IClassFixture<FleetSystem>
{
    // Turn:Quotas:PerToken.
    private const int AllocationsOfAToken = 16;

    private static readonly string[] WebParts = ["waf", "wwsf", "wic-web"];
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Recovery = TimeSpan.FromSeconds(15);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task TwoReplicasOfEachPart_ServeAsOne_AlsoWhenOneOfEachIsKilled()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the launcher of the tests is for Unix");
        await system.StartAsync();
        using var alice = await WebUser.LogInAsync(system.Gateway, "alice", "alice-calls-bob");
        using var bob = await WebUser.LogInAsync(system.Gateway, "bob", "bob-calls-alice");

        await AssertEveryReplicaIsReachedAsync(system, alice);
        await AssertTokenIsCountedInTheFleetAsync(alice);

        var (credential, servers) = await alice.GetTurnTokenAsync();
        await using var media = await RelayedMedia.StartAsync(servers[1], credential);
        await AssertCallsOutliveAReplicaAsync(system, alice, bob);
        foreach (var part in WebParts)
        {
            system.Kill(system.ReplicasOf(part)[0]);
            await AssertServedAsync(part, () => part == "waf" ? bob.GetTurnTokenAsync() : bob.GetSessionAsync());
        }

        system.Kill(system.ReplicasOf("turn").Single());
        await (await AllocateAsync(await bob.GetTurnTokenAsync(), server: 1)).DisposeAsync();
        Assert.Equal(0, await media.StopAsync());
        Assert.Equal("alice", await alice.GetSessionAsync());
    }

    /// <summary>Measured on demand by <see cref="FleetFigureTests"/>, because other processes make it slower.</summary>
    [Fact]
    public async Task TurnNodeIsKilled_BothPagesHearEachOtherAgainThroughTheOther()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the launcher of the tests is for Unix");
        await using var chromium = await Chromium.StartAsync();
        await system.StartAsync();
        await using var call = await RelayedCall.StartAsync(chromium, system.Gateway);

        await system.LoseTurnOfAsync(call);
    }

    // Session, antiforgery token and registration at the WAF are good at both replicas.
    private static async Task AssertEveryReplicaIsReachedAsync(FleetSystem system, WebUser user)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (true)
        {
            await Task.WhenAll(
                from _ in Enumerable.Range(0, 6)
                select Task.WhenAll(user.GetSessionAsync(), user.GetImsTokenAsync(), user.GetTurnTokenAsync()));
            var instances = await system.InstancesInAsync(user.TraceId);
            var reached = string.Join(", ", instances.Select(part => $"{part.Key}: {part.Count()}"));
            if (Array.TrueForAll(WebParts, part => instances[part].Count() == 2)) return;
            if (limit.IsCancellationRequested) Assert.Fail($"Not every replica had a request, but {reached}");
            // A session may get 60 tokens in a minute from a replica.
            await Task.Delay(TimeSpan.FromSeconds(2), Cancel);
        }
    }

    // Half of the allocations are at each server, and then both refuse.
    private static async Task AssertTokenIsCountedInTheFleetAsync(WebUser user)
    {
        var token = await user.GetTurnTokenAsync();
        Assert.Equal(2, token.Servers.Count);
        List<TurnClient> clients = [];
        try
        {
            for (var i = 0; i < AllocationsOfAToken; i++) clients.Add(await AllocateAsync(token, i % 2));
            foreach (var server in new[] { 0, 1 })
            {
                var refusal = await Assert.ThrowsAsync<TurnException>(() => AllocateAsync(token, server));
                Assert.Equal(StunError.AllocationQuotaReached, refusal.Code);
            }
        }
        finally
        {
            foreach (var client in clients) await client.DisposeAsync();
        }
    }

    private static async Task<TurnClient> AllocateAsync((TurnCredential Credential, IReadOnlyList<TurnUri> Servers) token, int server)
    {
        var client = await TurnClient.ConnectAsync(token.Servers[server], cancellationToken: Cancel);
        try
        {
            await client.AllocateAsync(token.Credential, cancellationToken: Cancel);
            return client;
        }
        catch
        {
            await client.DisposeAsync();
            throw;
        }
    }

    private static async Task AssertCallsOutliveAReplicaAsync(FleetSystem system, WebUser alice, WebUser bob)
    {
        var replicas = system.ReplicasOf("ep-cscf");
        using var page = new SipUser("alice");
        using var other = new SipUser("bob");
        await page.RegisterAsync(replicas[0].Address, await alice.GetImsTokenAsync());
        await other.RegisterAsync(replicas[1].Address, await bob.GetImsTokenAsync());
        var invite = await page.CallAsync(other);

        system.Kill(replicas[0]);
        await page.Connection.WaitAsync(Limit, Cancel);
        Assert.False(other.Connection.IsCompleted);
        await AssertServedAsync("ep-cscf", async () =>
        {
            using var socket = new ClientWebSocket();
            await SipUser.ConnectAsync(socket, system.Gateway);
        });
        await page.RegisterAsync(system.Gateway, await alice.GetImsTokenAsync());
        await other.HangUpAsync(invite, page);
        await page.HangUpAsync(await other.CallAsync(page), other);
    }

    // Requests may fail until the proxy has noticed. After that none fails.
    private static async Task AssertServedAsync(string part, Func<Task> request)
    {
        var killed = Stopwatch.StartNew();
        var served = 0;
        Exception? last = null;
        var recovered = TimeSpan.Zero;
        while (served < 8)
        {
            try
            {
                await request();
                served++;
            }
            catch (Exception error) when (error is HttpRequestException or WebSocketException or TaskCanceledException)
            {
                (served, last, recovered) = (0, error, killed.Elapsed);
                Assert.True(recovered < Recovery, $"{part} does not work {recovered} after one of its replicas was killed: {last}");
                await Task.Delay(TimeSpan.FromMilliseconds(50), Cancel);
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{part}: requests failed for {recovered.TotalMilliseconds:0} ms");
    }
}
