using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Tests.Admission;
using WebRtcIms.Turn.Tests.Engine;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Tests.Telemetry;

/// <summary>The engine in its host, with relays that are no sockets and a client's path that keeps what it is given.</summary>
internal sealed class HostBench
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly RecordingPath _path = new();

    public HostBench(IConnectionMultiplexer redis)
    {
        Node = new TestNode(Bench, redis);
        Server = new EngineHost(Bench.Engine, Node.Admission, Node.Metrics, Node.Clock, NullLogger<EngineHost>.Instance)
        {
            Transport = new FakeTransport(new RelayBinder(Node.Settings, new Random(1))),
        };
    }

    public EngineBench Bench { get; } = new();

    public TestNode Node { get; }

    public EngineHost Server { get; }

    /// <summary>Sends a request and waits for its answer.</summary>
    public async Task<Answer> AskAsync(TestClient client, StunMethod method, Attributes? attributes = null)
    {
        if (client.Nonce.Length == 0) client.Nonce = client.Challenge().Value(StunAttributeType.Nonce);
        Server.Receive(client.Build(method, attributes), client.Flow, _path);
        using var limit = new CancellationTokenSource(Limit);
        Answer? answer;
        while (!_path.Answers.TryDequeue(out answer)) await Task.Delay(5, limit.Token);
        return answer;
    }

    private sealed class RecordingPath : ClientPath
    {
        public ConcurrentQueue<Answer> Answers { get; } = new();

        public override void Send(in TransportAddress client, ReadOnlySpan<byte> message)
        {
            // Relayed ChannelData is no answer.
            if (message[0] < 0x40) Answers.Enqueue(Answer.Read(message));
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
