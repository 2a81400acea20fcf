using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Tests.Admission;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Tests.Hosting;

/// <summary>
/// The engine's host with real quotas and real port ranges, on a clock that the test moves; no socket and no Redis server.
/// </summary>
internal sealed class HostFixture : IRelayTransport
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly RecordingPath _path = new();
    private readonly RelayBinder _binder;

    public HostFixture(
        int ports = 4, QuotaSettings? quotas = null, bool withRedis = true, MobileAllocations? mobile = null, int number = 0,
        EngineSettings? settings = null)
    {
        Engine = new EngineFixture(settings, mobile: mobile, number: number);
        Clock = new FakeTimeProvider(Engine.Time.Utc);
        Node = new TestNode(Engine, withRedis ? Redis.Connection : null, quotas, time: Clock);
        Node.Settings.ListenAddress = "127.0.0.1,::1";
        Node.Settings.RelayPorts = new RelayPortSettings { Min = 50_000, Max = 50_000 + ports - 1 };
        _binder = new RelayBinder(Node.Settings, new Random(1));
        Host = new EngineHost(Engine.Engine, Node.Admission, Node.Metrics, Clock, NullLogger<EngineHost>.Instance) { Transport = this };
        Host.Workers = [Host];
    }

    public EngineFixture Engine { get; }

    public FakeTimeProvider Clock { get; }

    public FakeRedis Redis { get; } = new();

    public TestNode Node { get; }

    public EngineHost Host { get; }

    /// <summary>Relays that are bound now.</summary>
    public int Bound { get; private set; }

    /// <summary>What goes wrong while relays of IPv6 are bound.</summary>
    public Exception? BindFails { get; set; }

    public ClientPath Path => _path;

    /// <summary>Moves the clocks of the host and of the fixture that makes its tokens.</summary>
    public void Advance(double seconds)
    {
        Clock.Advance(TimeSpan.FromSeconds(seconds));
        Engine.Advance(seconds);
    }

    /// <summary>Sends a request; its answer comes later, or never.</summary>
    public void Send(EngineClient client, StunMethod method, WriteAttributes? attributes = null)
    {
        if (client.Nonce.Length == 0) client.Nonce = client.Challenge().Value(StunAttributeType.Nonce);
        Host.Receive(client.Build(method, attributes), client.Flow, _path);
    }

    public StunAnswer? TryNextAnswer() => _path.Answers.TryDequeue(out var answer) ? answer : null;

    public async Task<StunAnswer> AskAsync(EngineClient client, StunMethod method, WriteAttributes? attributes = null)
    {
        Send(client, method, attributes);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Limit);
        StunAnswer? answer;
        while ((answer = TryNextAnswer()) is null) await Task.Delay(1, limit.Token);
        return answer;
    }

    public Task<StunAnswer> AllocateAsync(EngineClient client, WriteAttributes? attributes = null) =>
        AskAsync(client, StunMethod.Allocate, attributes ?? StunRequest.UdpTransport);

    /// <summary>A client with a token of its own.</summary>
    public EngineClient NewClient(ClientTransport transport = ClientTransport.Udp) => Engine.NewClient(Engine.NewToken().Native, transport);

    /// <summary>Nothing is taken: no place in a quota, no relay, no allocation, nothing that the fleet counts.</summary>
    public async Task AssertAllIsGivenBackAsync(int live = 0)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(5));
        try
        {
            while (Taken() != (live, live, live)) await Task.Delay(5, limit.Token);
        }
        catch (OperationCanceledException)
        {
            // The assertions say what is left.
        }

        Assert.Equal((live, live, live), Taken());
        Assert.Equal(live, Bound);
        if (live == 0) Assert.All(Node.Quotas.Use(), quota => Assert.Equal(0, quota.Use));
    }

    AllocationDecision IRelayTransport.Bind(RelayRequest request) => _binder.Bind(request, (bind, advertise, onClosed) =>
    {
        if (BindFails is not null && bind.AddressFamily == AddressFamily.InterNetworkV6) throw BindFails;

        Bound++;
        return new PortRelay(bind, advertise, port =>
        {
            Bound--;
            onClosed(port);
        });
    });

    void IRelayTransport.Start(Relay relay, Allocation allocation)
    {
    }

    ClientPath IRelayTransport.PathFor(in FiveTuple flow, ClientPath path) => path;

    private (int Quota, int Allocations, int InFleet) Taken() =>
        (Node.Quotas.Total, Host.AllocationCount, Redis.Counted);

    private sealed class RecordingPath : ClientPath
    {
        public ConcurrentQueue<StunAnswer> Answers { get; } = new();

        public override void Send(in TransportAddress client, ReadOnlySpan<byte> message) =>
            Answers.Enqueue(new StunAnswer(message.ToArray()));
    }

    private sealed class PortRelay(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed)
        : Relay(TransportAddress.From(bind), new TransportAddress(advertise, (ushort)bind.Port))
    {
        private bool _isClosed;

        public override void Send(in TransportAddress peer, ReadOnlySpan<byte> payload)
        {
        }

        public override void SendUnfragmented(in TransportAddress peer, ReadOnlySpan<byte> payload)
        {
        }

        public override void Dispose()
        {
            if (_isClosed) return;
            _isClosed = true;
            onClosed(Bound.Port);
        }
    }
}
