using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>Each indication of the server has a transaction id at random (RFC 8489 §5).</summary>
[Requirement("RFC8489-5")]
public sealed class IndicationTests
{
    private const string Peer = "203.0.113.9:7000";

    private readonly EngineFixture _fixture = new(new EngineSettings { TcpRelays = true });

    [Fact]
    public void DataIndications_HaveTransactionIdsOfTheirOwn()
    {
        var client = Client();
        AssertDiffer(() => new StunAnswer(_fixture.FromPeer(client, Peer, [1])!));
    }

    [Fact]
    public void IndicationsOfIcmp_HaveTransactionIdsOfTheirOwn()
    {
        var client = Client();
        AssertDiffer(() =>
        {
            var message = new byte[TurnEngine.ReplyBufferLength];
            var outcome = _fixture.Engine.HandleIcmp(
                client.Allocation, EngineClient.Peer(Peer), new IcmpError(3, 3, 0), _fixture.Time, message);
            return new StunAnswer(message.AsSpan(outcome.Offset, outcome.Length).ToArray());
        });
    }

    [Fact]
    public void ConnectionAttempts_HaveTransactionIdsOfTheirOwn()
    {
        var client = _fixture.NewClient(transport: ClientTransport.Tcp);
        client.Allocate(StunRequest.TcpTransport);
        client.CreatePermission(Peer);
        ushort port = 7000;
        AssertDiffer(() => _fixture.PeerConnects(client, $"203.0.113.9:{port++}", new FakePeerTransport())!);
    }

    private static void AssertDiffer(Func<StunAnswer> indication)
    {
        var (first, second) = (indication(), indication());
        Assert.Equal((StunClass.Indication, StunClass.Indication), (first.Message.Class, second.Message.Class));
        Assert.NotEqual(first.Message.TransactionId, second.Message.TransactionId);
    }

    private EngineClient Client()
    {
        var client = _fixture.NewClient();
        client.Allocate();
        client.CreatePermission(Peer);
        return client;
    }
}
