using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Tests.Admission;

namespace WebRtcIms.Turn.Tests.Hosting;

/// <summary>
/// An engine's host with real quotas and port ranges, on a clock that the test moves. It has no sockets. Redis is a
/// <see cref="FakeRedis"/>, unless the test gives a connection; the clock is then that of <see cref="TestNode"/>.
/// </summary>
internal sealed class HostFixture
{
    private readonly RecordingPath _path = new();

    public HostFixture(
        int ports = 4, QuotaSettings? quotas = null, bool withRedis = true, MobileAllocations? mobile = null, int number = 0,
        EngineSettings? settings = null, IConnectionMultiplexer? redis = null)
    {
        Engine = new EngineFixture(settings, mobile: mobile, number: number);
        Clock = new FakeTimeProvider(Engine.Time.Utc);
        Node = redis is null
            ? new TestNode(Engine, withRedis ? Redis.Connection : null, quotas, time: Clock)
            : new TestNode(Engine, redis, quotas);
        Node.Settings.ListenAddress = "127.0.0.1,::1";
        Node.Settings.RelayPorts = new RelayPortSettings { Min = 50_000, Max = 50_000 + ports - 1 };
        Transport = new FakeTransport(Node.Settings);
        Host = new EngineHost(Engine.Engine, Node.Admission, Node.Metrics, Node.Clock, NullLogger<EngineHost>.Instance)
        {
            Transport = Transport,
        };
        Host.Workers = [Host];
    }

    public EngineFixture Engine { get; }

    public FakeTimeProvider Clock { get; }

    public FakeRedis Redis { get; } = new();

    public TestNode Node { get; }

    public EngineHost Host { get; }

    public FakeTransport Transport { get; }

    /// <inheritdoc cref="FakeTransport.Bound"/>
    public int Bound => Transport.Bound;

    /// <inheritdoc cref="FakeTransport.BindFails"/>
    public Exception? BindFails
    {
        set => Transport.BindFails = value;
    }

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

    public StunAnswer? TryNextAnswer() => _path.TryRead();

    public async Task<StunAnswer> AskAsync(EngineClient client, StunMethod method, WriteAttributes? attributes = null)
    {
        Send(client, method, attributes);
        return await _path.ReadAsync();
    }

    public Task<StunAnswer> AllocateAsync(EngineClient client, WriteAttributes? attributes = null) =>
        AskAsync(client, StunMethod.Allocate, attributes ?? StunRequest.UdpTransport);

    /// <summary>A client with a token of its own.</summary>
    public EngineClient NewClient(ClientTransport transport = ClientTransport.Udp) => Engine.NewClient(Engine.NewToken().Native, transport);

    /// <summary>Nothing is taken: no place in a quota, no relay, no allocation, nothing that the fleet counts.</summary>
    public async Task AssertAllIsGivenBackAsync(int live = 0)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
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

    private (int Quota, int Allocations, int InFleet) Taken() =>
        (Node.Quotas.Total, Host.AllocationCount, Redis.Counted);
}
