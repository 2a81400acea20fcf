using WebRtcIms.Contracts;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Tests.Hosting;

/// <summary>What an Allocate takes is given back on every path, and second events find the right owner.</summary>
public sealed class HostGivesBackTests
{
    public enum Ending
    {
        Deleted,
        Expired,
        StreamClosed,
        StreamClosedTwice,
        Revoked,
        RenewedWithARevokedToken,
        ServerStopped,
    }

    public static TheoryData<Ending, bool> Endings()
    {
        TheoryData<Ending, bool> endings = [];
        foreach (var ending in Enum.GetValues<Ending>())
        {
            endings.Add(ending, false);
            endings.Add(ending, true);
        }

        return endings;
    }

    [Theory]
    [MemberData(nameof(Endings))]
    [Requirement("ABUSE-57")]
    public async Task AllocationThatEnds_GivesAllBack_AndItsPortServesAgain(Ending ending, bool hasReserved)
    {
        var world = new HostFixture(ports: hasReserved ? 2 : 1);
        WriteAttributes ask = hasReserved ? EngineClient.Asking(StunAttributeType.EvenPort, 0x80) : StunRequest.UdpTransport;
        var client = world.NewClient(ClientTransport.Tcp);
        Assert.Equal(StunError.None, (await world.AllocateAsync(client, ask)).Error);
        Assert.Equal((1, hasReserved ? 2 : 1), (world.Node.Quotas.Total, world.Bound));

        await EndAsync(world, client, ending);
        world.Advance(31);
        world.Host.Sweep();

        await world.AssertAllIsGivenBackAsync();
        Assert.Equal(StunError.None, (await world.AllocateAsync(world.NewClient(), ask)).Error);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("ABUSE-57")]
    public async Task AllocateWithoutAFreePort_GivesItsPlaceBack(bool withRedis)
    {
        var world = new HostFixture(ports: 1, withRedis: withRedis);
        Assert.Equal(StunError.None, (await world.AllocateAsync(world.NewClient())).Error);
        for (var i = 0; i < 3; i++)
            Assert.Equal(StunError.InsufficientCapacity, (await world.AllocateAsync(world.NewClient())).Error);

        Assert.Equal((1, 1, 1), (world.Node.Quotas.Total, world.Bound, world.Host.AllocationCount));
        Assert.True(SpinWait.SpinUntil(() => world.Redis.Counted == (withRedis ? 1 : 0), TimeSpan.FromSeconds(5)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("ABUSE-57")]
    public async Task StreamThatClosesWhileTheCachesAreAsked_GivesAllBack(bool hasReserved)
    {
        var world = new HostFixture(ports: 2);
        var answering = new TaskCompletionSource();
        world.Redis.Answering = answering.Task;
        var client = world.NewClient(ClientTransport.Tcp);
        world.Send(
            client,
            StunMethod.Allocate,
            hasReserved ? EngineClient.Asking(StunAttributeType.EvenPort, 0x80) : StunRequest.UdpTransport);

        world.Host.StreamClosed(client.Flow);
        answering.SetResult();

        await world.AssertAllIsGivenBackAsync();
        Assert.Null(world.TryNextAnswer());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("ABUSE-57")]
    public async Task RelayOfOneFamilyFails_TheOtherIsGivenBack(bool isExpected)
    {
        var world = new HostFixture(ports: 1)
        {
            BindFails = isExpected ? new System.Net.Sockets.SocketException(98) : new InvalidOperationException("broken on purpose"),
        };
        var both = EngineClient.Asking(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0);

        var refused = await world.AllocateAsync(world.NewClient(), both);

        Assert.Equal(isExpected ? StunError.InsufficientCapacity : StunError.ServerError, refused.Error);
        await world.AssertAllIsGivenBackAsync();
        world.BindFails = null;
        Assert.Equal(StunError.None, (await world.AllocateAsync(world.NewClient(), both)).Error);
        Assert.Equal(2, world.Bound);
    }

    [Fact]
    [Requirement("ABUSE-57")]
    public async Task AllocateThatTheFleetsQuotaRefuses_GivesItsPlaceBack()
    {
        var world = new HostFixture(quotas: new QuotaSettings { PerToken = 2 });
        world.Redis.LiveAllocations = 3;

        Assert.Equal(StunError.AllocationQuotaReached, (await world.AllocateAsync(world.NewClient())).Error);
        await world.AssertAllIsGivenBackAsync();
    }

    [Fact]
    [Requirement("ABUSE-57")]
    public async Task AllocateThatThisNodesQuotaRefuses_CountsNothing()
    {
        var world = new HostFixture(quotas: new QuotaSettings { Total = 1 });
        Assert.Equal(StunError.None, (await world.AllocateAsync(world.NewClient())).Error);

        Assert.Equal(StunError.AllocationQuotaReached, (await world.AllocateAsync(world.NewClient())).Error);
        await world.AssertAllIsGivenBackAsync(live: 1);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task AllocateOfARevokedToken_CountsNothing()
    {
        var world = new HostFixture();
        world.Redis.RevokedUntil = world.Clock.GetUtcNow().AddMinutes(1);

        Assert.Equal(StunError.Unauthenticated, (await world.AllocateAsync(world.NewClient())).Error);
        await world.AssertAllIsGivenBackAsync();
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task RenewalWithATokenOfAnotherClient_MakesItTheOwner()
    {
        var world = new HostFixture();
        var client = world.NewClient();
        world.Redis.Grant = """{"client_id":"first","pseudonym":"u-1"}""";
        Assert.Equal(StunError.None, (await world.AllocateAsync(client)).Error);
        world.Redis.Grant = """{"client_id":"second","pseudonym":"u-1"}""";
        client.Credential = world.Engine.NewToken().Native;
        Assert.Equal(StunError.None, (await world.AskAsync(client, StunMethod.Refresh)).Error);
        Assert.True(SpinWait.SpinUntil(() => Owner(world) == "second", TimeSpan.FromSeconds(5)), $"the owner is {Owner(world)}");

        Assert.Equal(0, EndOfClient(world, "first"));
        Assert.Equal(1, EndOfClient(world, "second"));
        await world.AssertAllIsGivenBackAsync();
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task RenewalWhoseGrantIsNotThere_KeepsTheOwner()
    {
        var world = new HostFixture();
        var client = world.NewClient();
        world.Redis.Grant = """{"client_id":"first","pseudonym":"u-1"}""";
        Assert.Equal(StunError.None, (await world.AllocateAsync(client)).Error);
        world.Redis.Grant = null;
        client.Credential = world.Engine.NewToken().Native;
        Assert.Equal(StunError.None, (await world.AskAsync(client, StunMethod.Refresh)).Error);

        Assert.Equal(1, EndOfClient(world, "first"));
    }

    /// <summary>The kernel gives a client's new stream to any worker; the allocation stays with the one that made it.</summary>
    [Fact]
    [Requirement("RFC8016-3.2.2")]
    public async Task StreamOfAMovedClient_EndsAtAnotherWorker_AndTheWorkerWithTheAllocationKnows()
    {
        var mobile = new MobileAllocations(new MobilityTickets(new byte[32]));
        var first = new HostFixture(withRedis: false, mobile: mobile);
        var second = new HostFixture(withRedis: false, mobile: mobile, number: 1);
        first.Host.Workers = second.Host.Workers = [first.Host, second.Host];
        var client = first.Engine.NewClient(transport: ClientTransport.Tcp);
        var ticket = (await first.AllocateAsync(client, EngineClient.Asking(StunAttributeType.MobilityTicket)))
            .Value(StunAttributeType.MobilityTicket);
        var allocation = first.Host.Allocations()[0].Allocation;

        // The Refresh has been handed over to the worker with the allocation, then the old stream ends.
        var moved = first.Engine.NewClient(transport: ClientTransport.Tcp);
        ticket = (await first.AskAsync(moved, StunMethod.Refresh, With(ticket))).Value(StunAttributeType.MobilityTicket);
        first.Host.StreamClosed(client.Flow);
        Assert.Equal(moved.Flow, allocation.FiveTuple);
        Assert.NotSame(ClientPath.Closed, allocation.Path);

        second.Host.StreamClosed(moved.Flow);
        second.Host.StreamClosed(moved.Flow);

        Assert.Same(ClientPath.Closed, allocation.Path);
        Assert.Equal(1, first.Host.AllocationCount);
        Assert.Equal(
            StunError.None,
            (await first.AskAsync(first.Engine.NewClient(transport: ClientTransport.Tcp), StunMethod.Refresh, With(ticket))).Error);
        Assert.NotSame(ClientPath.Closed, allocation.Path);
    }

    private static async Task EndAsync(HostFixture world, EngineClient client, Ending ending)
    {
        switch (ending)
        {
            case Ending.Deleted:
                await world.AskAsync(client, StunMethod.Refresh, (ref StunMessageWriter request) =>
                    request.WriteUInt32(StunAttributeType.Lifetime, 0));
                break;
            case Ending.Expired:
                world.Advance(599);
                world.Host.Sweep();
                Assert.Equal(1, world.Host.AllocationCount);
                world.Advance(1);
                world.Host.Sweep();
                break;
            case Ending.StreamClosed:
                world.Host.StreamClosed(client.Flow);
                break;
            case Ending.StreamClosedTwice:
                world.Host.StreamClosed(client.Flow);
                world.Host.StreamClosed(client.Flow);
                break;
            case Ending.Revoked:
                Assert.Equal(1, world.Host.End((_, _) => true, AllocationEnd.Revoked));
                Assert.Equal(0, world.Host.End((_, _) => true, AllocationEnd.Revoked));
                break;
            case Ending.RenewedWithARevokedToken:
                world.Redis.RevokedUntil = world.Clock.GetUtcNow().AddMinutes(10);
                client.Credential = world.Engine.NewToken().Native;
                await world.AskAsync(client, StunMethod.Refresh);
                Assert.True(SpinWait.SpinUntil(() => world.Host.AllocationCount == 0, TimeSpan.FromSeconds(5)));
                world.Redis.RevokedUntil = null;
                break;
            case Ending.ServerStopped:
                world.Host.EndAll();
                world.Host.EndAll();
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(ending));
        }
    }

    private static WriteAttributes With(byte[] ticket) => (ref StunMessageWriter request) =>
        request.Write(StunAttributeType.MobilityTicket, ticket);

    private static string? Owner(HostFixture world) => world.Host.Allocations()[0].Record.Grant?.ClientId;

    // As the server does when a revocation is heard.
    private static int EndOfClient(HostFixture world, string clientId)
    {
        var now = world.Clock.GetUtcNow();
        world.Node.Revocations.Add(TurnRevocations.OfClient(clientId), now + TokenLimits.LongestLifetime);
        return world.Host.End(
            (allocation, record) =>
                world.Node.Revocations.Cover(allocation.Credential, now, record.Grant?.ClientId), AllocationEnd.Revoked);
    }
}
