using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>A server that answers forged requests must not become a weapon.</summary>
public sealed class ChallengeBudgetTests
{
    private readonly EngineFixture _fixture = new(new EngineSettings { ChallengesPerSecond = 10 });

    [Fact]
    [Requirement("ABUSE-18")]
    [Requirement("ABUSE-30")]
    public void FloodFromManyPortsOfOneAddress_GetsItsShare_AndAuthenticatedClientsAreServed()
    {
        var client = _fixture.NewClient();
        client.Allocate();
        var challenged = Enumerable.Range(0, 1000).Count(_ =>
            _fixture.Send(StunRequest.Plain(StunMethod.Allocate), _fixture.NewFlow()) is not null);
        Assert.InRange(challenged, 90, 100);
        Assert.Equal(DropReason.OverBudget, _fixture.LastDrop);
        Assert.Null(_fixture.Send(StunRequest.Plain(StunMethod.Binding), _fixture.NewFlow()));
        Assert.True(client.CreatePermission("203.0.113.9:1").IsSuccess);

        _fixture.Advance(1);
        challenged = Enumerable.Range(0, 1000).Count(
            _ => _fixture.Send(StunRequest.Plain(StunMethod.Allocate), _fixture.NewFlow()) is not null);
        Assert.InRange(challenged, 9, 11);
    }

    [Fact]
    [Requirement("ABUSE-30")]
    public void OtherAddressesAndStreams_AreNotHeldBack()
    {
        while (_fixture.Send(StunRequest.Plain(StunMethod.Allocate), _fixture.NewFlow()) is not null) { }
        var other = _fixture.NewFlow() with { Client = new TransportAddress(InternetAddress.Parse("192.0.2.77"), 5000) };

        Assert.NotNull(_fixture.Send(StunRequest.Plain(StunMethod.Allocate), other));
        Assert.NotNull(_fixture.Send(StunRequest.Plain(StunMethod.Allocate), _fixture.NewFlow(ClientTransport.Tcp)));
    }

    [Fact]
    [Requirement("ABUSE-30")]
    public void FloodFromManyAddressesOfOneIPv6Network_GetsOneShare()
    {
        var network = InternetAddress.Parse("2001:db8:1:2::").Bits;
        var challenged = Enumerable.Range(1, 1000).Count(i =>
        {
            var flow = _fixture.NewFlow() with { Client = new TransportAddress(InternetAddress.FromIPv6(network + (UInt128)i), 5000) };
            return _fixture.Send(StunRequest.Plain(StunMethod.Allocate), flow) is not null;
        });

        Assert.InRange(challenged, 90, 100);
    }

    [Fact]
    [Requirement("ABUSE-30")]
    public void AHundredThousandSources_LeaveNothingBehind()
    {
        var request = StunRequest.Plain(StunMethod.Allocate);
        var flow = _fixture.NewFlow();
        var reply = new byte[TurnEngine.ReplyBufferLength];
        var answered = 0;
        void Flood(int count)
        {
            for (uint i = 0; i < count; i++)
            {
                var source = flow with { Client = new TransportAddress(InternetAddress.FromIPv4(0x08000000 + i), 5000) };
                var outcome = _fixture.Engine.HandleClient(request, source, _fixture.Path, _fixture.Time, reply);
                if (outcome.Kind == OutcomeKind.Reply) answered++;
            }
        }

        Flood(100_000);
        var allocated = Garbage.Of(() =>
        {
            answered = 0;
            _fixture.Advance(60);
            Flood(100_000);
        });

        Assert.InRange(answered, 90_000, 101_000);
        Assert.Equal(0, allocated);
        Assert.Equal(0, _fixture.Engine.AllocationCount);
    }

    [Fact]
    public void Zero_IsNoBound()
    {
        var fixture = new EngineFixture();

        for (var i = 0; i < 5000; i++) Assert.NotNull(fixture.Send(StunRequest.Plain(StunMethod.Binding), fixture.NewFlow()));
    }
}
