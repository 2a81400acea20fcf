using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Tests.Engine;

/// <summary>A server that answers forged requests must not become a weapon.</summary>
public sealed class ChallengeBudgetTests
{
    private readonly EngineBench _bench = new(new EngineSettings { ChallengesPerSecond = 10 });

    [Fact]
    [Requirement("ABUSE-18")]
    [Requirement("ABUSE-30")]
    public void FloodFromManyPortsOfOneAddress_GetsItsShare_AndAuthenticatedClientsAreServed()
    {
        var client = _bench.NewClient();
        client.Allocate();
        var challenged = Enumerable.Range(0, 1000).Count(_ =>
            _bench.Send(TestClient.Plain(StunMethod.Allocate), _bench.NewFlow()) is not null);
        Assert.InRange(challenged, 90, 100);
        Assert.Equal(DropReason.OverBudget, _bench.LastDrop);
        Assert.Null(_bench.Send(TestClient.Plain(StunMethod.Binding), _bench.NewFlow()));
        Assert.True(client.CreatePermission("203.0.113.9:1").IsSuccess);

        _bench.Advance(1);
        challenged = Enumerable.Range(0, 1000).Count(_ => _bench.Send(TestClient.Plain(StunMethod.Allocate), _bench.NewFlow()) is not null);
        Assert.InRange(challenged, 9, 11);
    }

    [Fact]
    [Requirement("ABUSE-30")]
    public void OtherAddressesAndStreams_AreNotHeldBack()
    {
        while (_bench.Send(TestClient.Plain(StunMethod.Allocate), _bench.NewFlow()) is not null) { }
        var other = _bench.NewFlow() with { Client = new TransportAddress(InternetAddress.Parse("192.0.2.77"), 5000) };

        Assert.NotNull(_bench.Send(TestClient.Plain(StunMethod.Allocate), other));
        Assert.NotNull(_bench.Send(TestClient.Plain(StunMethod.Allocate), _bench.NewFlow(ClientTransport.Tcp)));
    }

    [Fact]
    [Requirement("ABUSE-30")]
    public void FloodFromManyAddressesOfOneIPv6Network_GetsOneShare()
    {
        var network = InternetAddress.Parse("2001:db8:1:2::").Bits;
        var challenged = Enumerable.Range(1, 1000).Count(i =>
        {
            var flow = _bench.NewFlow() with { Client = new TransportAddress(InternetAddress.FromIPv6(network + (UInt128)i), 5000) };
            return _bench.Send(TestClient.Plain(StunMethod.Allocate), flow) is not null;
        });

        Assert.InRange(challenged, 90, 100);
    }

    [Fact]
    [Requirement("ABUSE-30")]
    public void AHundredThousandSources_LeaveNothingBehind()
    {
        var request = TestClient.Plain(StunMethod.Allocate);
        var flow = _bench.NewFlow();
        var reply = new byte[TurnEngine.ReplyBufferLength];
        var answered = 0;
        void Flood(int count)
        {
            for (uint i = 0; i < count; i++)
            {
                var source = flow with { Client = new TransportAddress(InternetAddress.FromIPv4(0x08000000 + i), 5000) };
                if (_bench.Engine.HandleClient(request, source, _bench.Path, _bench.Time, reply).Kind == OutcomeKind.Reply) answered++;
            }
        }

        Flood(100_000);
        answered = 0;
        _bench.Advance(60);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Flood(100_000);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.InRange(answered, 90_000, 101_000);
        Assert.Equal(0, allocated);
        Assert.Equal(0, _bench.Engine.AllocationCount);
    }

    [Fact]
    public void Zero_IsNoBound()
    {
        var bench = new EngineBench();

        for (var i = 0; i < 5000; i++) Assert.NotNull(bench.Send(TestClient.Plain(StunMethod.Binding), bench.NewFlow()));
    }
}
