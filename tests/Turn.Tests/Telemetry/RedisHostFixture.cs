using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Tests.Admission;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Tests.Telemetry;

/// <summary>The engine in its host, with fake relays and a client path that records its messages.</summary>
internal sealed class RedisHostFixture
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly RecordingPath _path = new();

    public RedisHostFixture(IConnectionMultiplexer redis)
    {
        Node = new TestNode(Engine, redis);
        Server = new EngineHost(Engine.Engine, Node.Admission, Node.Metrics, Node.Clock, NullLogger<EngineHost>.Instance)
        {
            Transport = new FakeTransport(new RelayBinder(Node.Settings, new Random(1))),
        };
    }

    public EngineFixture Engine { get; } = new();

    public TestNode Node { get; }

    public EngineHost Server { get; }

    /// <summary>Sends a request and waits for its answer.</summary>
    public async Task<StunAnswer> AskAsync(EngineClient client, StunMethod method, WriteAttributes? attributes = null)
    {
        if (client.Nonce.Length == 0) client.Nonce = client.Challenge().Value(StunAttributeType.Nonce);
        Server.Receive(client.Build(method, attributes), client.Flow, _path);
        using var limit = new CancellationTokenSource(Limit);
        StunAnswer? answer;
        while (!_path.Answers.TryDequeue(out answer)) await Task.Delay(5, limit.Token);
        return answer;
    }

    private sealed class RecordingPath : ClientPath
    {
        public ConcurrentQueue<StunAnswer> Answers { get; } = new();

        public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
        {
            // Relayed ChannelData is not an answer.
            if (message[0] < 0x40) Answers.Enqueue(new StunAnswer(message.ToArray()));
        }
    }

    private sealed class FakeTransport(RelayBinder relays) : IRelayTransport
    {
        public AllocationDecision Bind(RelayRequest request) =>
            relays.Bind(request, (bind, _, _) => new FakeRelay(TransportAddress.From(bind)));

        public void Start(Relay relay, Allocation allocation)
        {
        }

        public ClientPath PathFor(in FiveTuple flow, ClientPath path) => path;
    }
}
