using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>What one allocation may relay is bounded where the operator says so (RFC 8656 §5).</summary>
public sealed class TrafficTests
{
    private const string Peer = "203.0.113.9:7000";

    [Fact]
    [Requirement("ABUSE-72")]
    [Requirement("TURN-B33")]
    public void PacketsAboveTheLimit_AreDroppedInEachDirection_AndTheAllocationLives()
    {
        var (fixture, client) = Limited(new TrafficLimits(PacketsPerSecond: 50, BytesPerSecond: 0));

        Assert.Equal(50, Enumerable.Range(0, 1000).Count(_ => client.SendOnChannel(0x4000, [1]).Kind == OutcomeKind.ToPeer));
        Assert.Equal(DropReason.OverLimit, fixture.LastDrop);
        Assert.Equal(50, Enumerable.Range(0, 1000).Count(_ => fixture.FromPeer(client, Peer, [1]) is not null));
        Assert.Equal(DropReason.OverLimit, fixture.LastDrop);
        Assert.Equal((50, 50), (client.Allocation.Totals.PacketsToPeers, client.Allocation.Totals.PacketsToClient));

        // The rate comes back by itself, and requests never count.
        Assert.True(client.Refresh().IsSuccess);
        fixture.Advance(0.5);
        Assert.Equal(25, Enumerable.Range(0, 1000).Count(_ => client.Send(Peer, [1]).Kind == OutcomeKind.ToPeer));
        fixture.Advance(60);
        Assert.Equal(50, Enumerable.Range(0, 1000).Count(_ => client.Send(Peer, [1]).Kind == OutcomeKind.ToPeer));
    }

    [Fact]
    [Requirement("ABUSE-72")]
    [Requirement("TURN-B33")]
    public void OctetsAboveTheLimit_AreDropped_AndOneAllocationTakesNothingFromAnother()
    {
        var (fixture, client) = Limited(new TrafficLimits(PacketsPerSecond: 0, BytesPerSecond: 10_000));
        var other = fixture.NewClient();
        other.Allocate();
        other.CreatePermission(Peer);

        Assert.Equal(10, Enumerable.Range(0, 1000).Count(_ => client.SendOnChannel(0x4000, new byte[1000]).Kind == OutcomeKind.ToPeer));
        Assert.Equal(10, Enumerable.Range(0, 1000).Count(_ => fixture.FromPeer(client, Peer, new byte[1000]) is not null));
        Assert.Equal(OutcomeKind.ToPeer, other.Send(Peer, new byte[1000]).Kind);
    }

    [Theory]
    [InlineData(0, 0, 100)]
    [InlineData(50, 0, 50)]
    [InlineData(200, 0, 100)]
    [Requirement("SEC-12")]
    [Requirement("ABUSE-72")]
    public void GrantedLimits_ApplyToTheAllocation_AndNeverExceedTheServers(int packets, int bytes, int relayed)
    {
        var fixture = new EngineFixture(new EngineSettings { Traffic = new TrafficLimits(100, 0) }) { Traffic = new(packets, bytes) };
        var client = Bound(fixture);

        Assert.Equal(relayed, Enumerable.Range(0, 1000).Count(_ => client.SendOnChannel(0x4000, [1]).Kind == OutcomeKind.ToPeer));
        Assert.Equal(relayed, Enumerable.Range(0, 1000).Count(_ => fixture.FromPeer(client, Peer, [1]) is not null));

        fixture.Advance(1);
        fixture.Engine.Limit(client.Allocation, new TrafficLimits(10, 0));
        Assert.Equal(10, Enumerable.Range(0, 1000).Count(_ => client.SendOnChannel(0x4000, [1]).Kind == OutcomeKind.ToPeer));
    }

    [Theory]
    [InlineData(0, 0, 0, 0, 0, 0)]
    [InlineData(0, 7, 5, 0, 5, 7)]
    [InlineData(-1, 7, 5, 9, 5, 7)]
    [InlineData(6, 9, 5, 7, 5, 7)]
    [Requirement("SEC-12")]
    public void Limits_OfAGrant_AreTheLowerOnes(
        int packets, int bytes, int mostPackets, int mostBytes, int expectedPackets, int expectedBytes) =>
        Assert.Equal(
            new TrafficLimits(expectedPackets, expectedBytes),
            new TrafficLimits(packets, bytes).Within(new TrafficLimits(mostPackets, mostBytes)));

    [Fact]
    [Requirement("SEC-12")]
    public void AllocationsOfOneUser_RelayTwiceTheLimitTogether_AndOthersAsMuch()
    {
        var fixture = new EngineFixture(new EngineSettings { Traffic = new TrafficLimits(100, 10_000) })
        {
            UserTraffic = new SharedTraffic(),
        };
        EngineClient[] clients = [Bound(fixture), Bound(fixture), Bound(fixture)];
        int Sent(EngineClient client, int octets) =>
            Enumerable.Range(0, 1000).Count(_ => client.SendOnChannel(0x4000, new byte[octets]).Kind == OutcomeKind.ToPeer);
        int Received(EngineClient client) =>
            Enumerable.Range(0, 1000).Count(_ => fixture.FromPeer(client, Peer, [1]) is not null);

        Assert.Equal([100, 100, 0], clients.Select(client => Sent(client, 1)));
        Assert.Equal([100, 100, 0], clients.Select(Received));
        fixture.Advance(2);
        Assert.Equal([10, 10, 0], clients.Select(client => Sent(client, 1000)));

        fixture.UserTraffic = new SharedTraffic();
        Assert.Equal(100, Sent(Bound(fixture), 1));
    }

    [Theory]
    [InlineData(100)]
    [InlineData(0)]
    [Requirement("SEC-12")]
    public void AllocationsOfOneAddress_RelayItsLimitTogether_AlsoWithoutLimitsOfTheirOwn(int packets)
    {
        var fixture = new EngineFixture(new EngineSettings { Traffic = new TrafficLimits(packets, 0) })
        {
            AddressTraffic = new SharedTraffic(new TrafficLimits(50, 0)),
        };
        EngineClient[] clients = [Bound(fixture), Bound(fixture)];

        Assert.Equal([50, 0], clients.Select(client =>
            Enumerable.Range(0, 1000).Count(_ => client.SendOnChannel(0x4000, [1]).Kind == OutcomeKind.ToPeer)));
        Assert.Equal([50, 0], clients.Select(client =>
            Enumerable.Range(0, 1000).Count(_ => fixture.FromPeer(client, Peer, [1]) is not null)));
        Assert.Equal(TimeSpan.FromMilliseconds(20), clients[1].Allocation.PaceToPeer(1, fixture.Time.Milliseconds));
    }

    [Fact]
    [Requirement("SEC-27")]
    [Requirement("RFC8656-9")]
    public void DatagramsOfAThirdParty_DoNotTakeTheRoomOfThePeerWithAChannel()
    {
        var (fixture, client) = Limited(new TrafficLimits(100, 100_000));

        // Another relay of the same server: its address is that of the permission, its port is not the peer's.
        Assert.Equal(100, Enumerable.Range(0, 1000).Count(_ => fixture.FromPeer(client, "203.0.113.9:7001", new byte[500]) is not null));
        Assert.Equal(100, Enumerable.Range(0, 1000).Count(_ => fixture.FromPeer(client, Peer, new byte[500]) is not null));
    }

    [Fact]
    [Requirement("ABUSE-72")]
    public void WithoutLimits_NothingIsHeldBack()
    {
        var (_, client) = Limited(default);

        Assert.All(Enumerable.Range(0, 10_000), _ => Assert.Equal(OutcomeKind.ToPeer, client.SendOnChannel(0x4000, new byte[1000]).Kind));
    }

    [Fact]
    [Requirement("ABUSE-72")]
    public void Limits_CostNoGarbage_ReachedOrNot()
    {
        var (fixture, client) = Limited(new TrafficLimits(PacketsPerSecond: 5000, BytesPerSecond: 1_000_000));
        byte[] message = [0x40, 0x00, 0x00, 0x04, 1, 2, 3, 4];
        var reply = new byte[TurnEngine.ReplyBufferLength];
        var buffer = new byte[TurnEngine.Headroom + 4 + TurnEngine.Tailroom];
        var peer = EngineClient.Peer(Peer);
        var relayed = 0;
        void Relay(int count)
        {
            for (var i = 0; i < count; i++)
            {
                var outcome = fixture.Engine.HandleClient(message, client.Flow, fixture.Path, fixture.Time, reply);
                if (outcome.Kind == OutcomeKind.ToPeer) relayed++;
                if (fixture.Engine.HandlePeer(client.Allocation, peer, buffer, fixture.Time).Kind == OutcomeKind.ToClient) relayed++;
            }
        }

        Relay(100);
        Assert.Equal(0, Garbage.Of(() => Relay(1_000)));
        Assert.Equal(8_200, relayed);
        Assert.Equal(0, Garbage.Of(() => Relay(1_000)));
        Assert.Equal(10_000, relayed);
    }

    [Fact]
    [Requirement("ABUSE-71")]
    public void RelaysPointedAtEachOther_PassWhatTheirClientsSend_NoMoreThanTheirLimit()
    {
        // Each client sends back whatever it gets, as fast as it comes: the nearest thing to a loop that two relays can be made.
        var fixture = new EngineFixture(new EngineSettings { Traffic = new TrafficLimits(PacketsPerSecond: 100, BytesPerSecond: 0) });
        var (one, two) = (fixture.NewClient(), fixture.NewClient());
        one.Allocate();
        two.Allocate();
        var (first, second) = (EngineClient.Peer("203.0.113.50:50000"), EngineClient.Peer("203.0.113.50:50001"));
        one.ChannelBind(0x4000, second.ToString());
        two.ChannelBind(0x4000, first.ToString());

        var hops = 0;
        var (sender, receiver, source, other) = (one, two, first, second);
        while (hops < 10_000 && sender.SendOnChannel(0x4000, [7]).Kind == OutcomeKind.ToPeer
            && fixture.FromPeer(receiver, source.ToString(), [7]) is not null)
        {
            (sender, receiver, source, other) = (receiver, sender, other, source);
            hops++;
        }

        // Two relays, each with a second's worth in each direction.
        Assert.InRange(hops, 2, 201);
        Assert.Equal(2, fixture.Engine.AllocationCount);
    }

    [Fact]
    [Requirement("ABUSE-82")]
    public void PauseOfTheProcess_EndsNothing_AndTimersCatchUp()
    {
        var fixture = new EngineFixture();
        var client = fixture.NewClient();
        client.Allocate();
        client.ChannelBind(0x4000, Peer);
        for (var pause = 0; pause < 5; pause++)
        {
            fixture.Advance(50);
            Assert.Equal(OutcomeKind.ToPeer, client.SendOnChannel(0x4000, [1]).Kind);
        }

        fixture.Sweep();
        Assert.Equal(1, fixture.Engine.AllocationCount);

        // Longer than the permission, and than the lifetime: no sweep has run in between, and none is needed.
        fixture.Advance(51);
        Assert.Equal(DropReason.NoPermission, client.SendOnChannel(0x4000, [1]).DropReason);
        fixture.Advance(600);
        Assert.Equal(DropReason.NoAllocation, client.SendOnChannel(0x4000, [1]).DropReason);
    }

    private static (EngineFixture Fixture, EngineClient Client) Limited(TrafficLimits limits)
    {
        var fixture = new EngineFixture(new EngineSettings { Traffic = limits });
        return (fixture, Bound(fixture));
    }

    private static EngineClient Bound(EngineFixture fixture)
    {
        var client = fixture.NewClient();
        client.Allocate();
        client.ChannelBind(0x4000, Peer);
        return client;
    }
}
