using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>The octets of a TCP connection are not dropped above a limit. Its reader waits instead.</summary>
public sealed class PacingTests
{
    [Fact]
    [Requirement("ABUSE-72")]
    public void OctetsAboveTheLimit_PauseTheReader_UntilTheyArePaidFor()
    {
        var (fixture, connection) = Limited(new TrafficLimits(PacketsPerSecond: 0, BytesPerSecond: 1000));
        TimeSpan Pace(int octets) => connection.Allocation.PaceToPeer(octets, fixture.Time.Milliseconds);

        Assert.Equal(TimeSpan.Zero, Pace(1000));
        Assert.Equal(TimeSpan.FromMilliseconds(500), Pace(500));
        fixture.Advance(0.5);
        Assert.Equal(TimeSpan.FromMilliseconds(100), Pace(100));
        fixture.Advance(10);
        Assert.Equal(TimeSpan.Zero, Pace(1000));
        Assert.Equal(TimeSpan.FromMilliseconds(1), Pace(1));
    }

    [Fact]
    [Requirement("ABUSE-72")]
    public void EachRead_CountsAsAPacket_AndTheLongerPauseHolds()
    {
        var (fixture, connection) = Limited(new TrafficLimits(PacketsPerSecond: 10, BytesPerSecond: 1000));
        TimeSpan Pace(int octets) => connection.Allocation.PaceToPeer(octets, fixture.Time.Milliseconds);

        for (var i = 0; i < 10; i++) Assert.Equal(TimeSpan.Zero, Pace(1));
        Assert.Equal(TimeSpan.FromMilliseconds(100), Pace(1));
        Assert.Equal(TimeSpan.FromMilliseconds(1011), Pace(2000));
    }

    [Fact]
    [Requirement("ABUSE-72")]
    public void EachDirection_HasALimitOfItsOwn()
    {
        var (fixture, connection) = Limited(new TrafficLimits(PacketsPerSecond: 0, BytesPerSecond: 1000));

        Assert.Equal(TimeSpan.FromSeconds(1), connection.Allocation.PaceToPeer(2000, fixture.Time.Milliseconds));
        Assert.Equal(TimeSpan.FromSeconds(2), connection.Allocation.PaceToClient(3000, fixture.Time.Milliseconds));
    }

    [Fact]
    public void WithoutLimits_NothingWaits()
    {
        var (fixture, connection) = Limited(default);

        Assert.False(default(TrafficLimits).Any);
        Assert.Equal(TimeSpan.Zero, connection.Allocation.PaceToPeer(1_000_000_000, fixture.Time.Milliseconds));
        Assert.Equal(TimeSpan.Zero, connection.Allocation.PaceToClient(1_000_000_000, fixture.Time.Milliseconds));
    }

    private static (EngineFixture Fixture, PeerConnection Connection) Limited(TrafficLimits limits)
    {
        var fixture = new EngineFixture(new EngineSettings { TcpRelays = true, Traffic = limits });
        var client = fixture.NewClient(transport: ClientTransport.Tcp);
        client.Allocate(StunRequest.Value(StunAttributeType.RequestedTransport, 6, 0, 0, 0));
        return (fixture, new PeerConnection(client.Allocation, EngineClient.Peer("203.0.113.9:7000")));
    }
}
