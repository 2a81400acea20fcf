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
        var fixture = new HostFixture(ports: hasReserved ? 2 : 1);
        WriteAttributes ask = hasReserved ? StunRequest.UdpWith(StunAttributeType.EvenPort, 0x80) : StunRequest.UdpTransport;
        var client = fixture.NewClient(ClientTransport.Tcp);
        Assert.Equal(StunError.None, (await fixture.AllocateAsync(client, ask)).Error);
        Assert.Equal((1, hasReserved ? 2 : 1), (fixture.Node.Quotas.Total, fixture.Bound));

        await EndAsync(fixture, client, ending);
        fixture.Advance(31);
        fixture.Host.Sweep();

        await fixture.AssertAllIsGivenBackAsync();
        Assert.Equal(StunError.None, (await fixture.AllocateAsync(fixture.NewClient(), ask)).Error);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("ABUSE-57")]
    public async Task AllocateWithoutAFreePort_GivesItsPlaceBack(bool withRedis)
    {
        var fixture = new HostFixture(ports: 1, withRedis: withRedis);
        Assert.Equal(StunError.None, (await fixture.AllocateAsync(fixture.NewClient())).Error);
        for (var i = 0; i < 3; i++)
            Assert.Equal(StunError.InsufficientCapacity, (await fixture.AllocateAsync(fixture.NewClient())).Error);

        Assert.Equal((1, 1, 1), (fixture.Node.Quotas.Total, fixture.Bound, fixture.Host.AllocationCount));
        Assert.True(SpinWait.SpinUntil(() => fixture.Redis.Counted == (withRedis ? 1 : 0), TimeSpan.FromSeconds(30)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("ABUSE-57")]
    public async Task StreamThatClosesWhileTheCachesAreAsked_GivesAllBack(bool hasReserved)
    {
        var fixture = new HostFixture(ports: 2);
        var answering = new TaskCompletionSource();
        fixture.Redis.Answering = answering.Task;
        var client = fixture.NewClient(ClientTransport.Tcp);
        fixture.Send(
            client,
            StunMethod.Allocate,
            hasReserved ? StunRequest.UdpWith(StunAttributeType.EvenPort, 0x80) : StunRequest.UdpTransport);

        fixture.Host.StreamClosed(client.Flow);
        answering.SetResult();

        await fixture.AssertAllIsGivenBackAsync();
        Assert.Null(fixture.TryNextAnswer());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("ABUSE-57")]
    public async Task RelayOfOneFamilyFails_TheOtherIsGivenBack(bool isExpected)
    {
        var fixture = new HostFixture(ports: 1)
        {
            BindFails = isExpected ? new System.Net.Sockets.SocketException(98) : new InvalidOperationException("broken on purpose"),
        };
        var both = StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0);

        var refused = await fixture.AllocateAsync(fixture.NewClient(), both);

        Assert.Equal(isExpected ? StunError.InsufficientCapacity : StunError.ServerError, refused.Error);
        await fixture.AssertAllIsGivenBackAsync();
        fixture.BindFails = null;
        Assert.Equal(StunError.None, (await fixture.AllocateAsync(fixture.NewClient(), both)).Error);
        Assert.Equal(2, fixture.Bound);
    }

    [Fact]
    [Requirement("ABUSE-57")]
    public async Task AllocateThatTheFleetsQuotaRefuses_GivesItsPlaceBack()
    {
        var fixture = new HostFixture(quotas: new QuotaSettings { PerToken = 2 });
        fixture.Redis.LiveAllocations = 3;

        Assert.Equal(StunError.AllocationQuotaReached, (await fixture.AllocateAsync(fixture.NewClient())).Error);
        await fixture.AssertAllIsGivenBackAsync();
    }

    [Fact]
    [Requirement("ABUSE-57")]
    public async Task AllocateThatThisNodesQuotaRefuses_CountsNothing()
    {
        var fixture = new HostFixture(quotas: new QuotaSettings { Total = 1 });
        Assert.Equal(StunError.None, (await fixture.AllocateAsync(fixture.NewClient())).Error);

        Assert.Equal(StunError.AllocationQuotaReached, (await fixture.AllocateAsync(fixture.NewClient())).Error);
        await fixture.AssertAllIsGivenBackAsync(live: 1);
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task AllocateOfARevokedToken_CountsNothing()
    {
        var fixture = new HostFixture();
        fixture.Redis.RevokedUntil = fixture.Clock.GetUtcNow().AddMinutes(1);

        Assert.Equal(StunError.Unauthenticated, (await fixture.AllocateAsync(fixture.NewClient())).Error);
        await fixture.AssertAllIsGivenBackAsync();
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task RenewalWithATokenOfAnotherClient_MakesItTheOwner()
    {
        var fixture = new HostFixture();
        var client = fixture.NewClient();
        fixture.Redis.Grant = """{"client_id":"first","pseudonym":"u-1"}""";
        Assert.Equal(StunError.None, (await fixture.AllocateAsync(client)).Error);
        fixture.Redis.Grant = """{"client_id":"second","pseudonym":"u-1"}""";
        client.Credential = fixture.Engine.NewToken().Native;
        Assert.Equal(StunError.None, (await fixture.AskAsync(client, StunMethod.Refresh)).Error);
        Assert.True(SpinWait.SpinUntil(() => Owner(fixture) == "second", TimeSpan.FromSeconds(30)), $"the owner is {Owner(fixture)}");

        Assert.Equal(0, EndOfClient(fixture, "first"));
        Assert.Equal(1, EndOfClient(fixture, "second"));
        await fixture.AssertAllIsGivenBackAsync();
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task RenewalWhoseGrantIsNotThere_KeepsTheOwner()
    {
        var fixture = new HostFixture();
        var client = fixture.NewClient();
        fixture.Redis.Grant = """{"client_id":"first","pseudonym":"u-1"}""";
        Assert.Equal(StunError.None, (await fixture.AllocateAsync(client)).Error);
        fixture.Redis.Grant = null;
        client.Credential = fixture.Engine.NewToken().Native;
        Assert.Equal(StunError.None, (await fixture.AskAsync(client, StunMethod.Refresh)).Error);

        Assert.Equal(1, EndOfClient(fixture, "first"));
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
        var ticket = (await first.AllocateAsync(client, StunRequest.UdpWith(StunAttributeType.MobilityTicket)))
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

    private static async Task EndAsync(HostFixture fixture, EngineClient client, Ending ending)
    {
        switch (ending)
        {
            case Ending.Deleted:
                await fixture.AskAsync(client, StunMethod.Refresh, (ref StunMessageWriter request) =>
                    request.WriteUInt32(StunAttributeType.Lifetime, 0));
                break;
            case Ending.Expired:
                fixture.Advance(599);
                fixture.Host.Sweep();
                Assert.Equal(1, fixture.Host.AllocationCount);
                fixture.Advance(1);
                fixture.Host.Sweep();
                break;
            case Ending.StreamClosed:
                fixture.Host.StreamClosed(client.Flow);
                break;
            case Ending.StreamClosedTwice:
                fixture.Host.StreamClosed(client.Flow);
                fixture.Host.StreamClosed(client.Flow);
                break;
            case Ending.Revoked:
                Assert.Equal(1, fixture.Host.End((_, _) => true, AllocationEnd.Revoked));
                Assert.Equal(0, fixture.Host.End((_, _) => true, AllocationEnd.Revoked));
                break;
            case Ending.ServerStopped:
                fixture.Host.EndAll();
                fixture.Host.EndAll();
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(ending));
        }
    }

    private static WriteAttributes With(byte[] ticket) => StunRequest.Value(StunAttributeType.MobilityTicket, ticket);

    private static string? Owner(HostFixture fixture) => fixture.Host.Allocations()[0].Record.Grant?.ClientId;

    // As the server does when a revocation is heard.
    private static int EndOfClient(HostFixture fixture, string clientId)
    {
        var now = fixture.Clock.GetUtcNow();
        fixture.Node.Revocations.Add(TurnRevocations.OfClient(clientId), now + TokenLimits.LongestLifetime);
        return fixture.Host.End(
            (allocation, record) =>
                fixture.Node.Revocations.Cover(allocation.Credential, now, record.Grant), AllocationEnd.Revoked);
    }
}
