using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Tests.Admission;
using WebRtcIms.Turn.Tests.Telemetry;

namespace WebRtcIms.Turn.Tests.Hosting;

/// <summary>
/// The host of one engine. Its transports and the path to its clients record what they send. The Redis answers at once, so each request
/// has been answered when <see cref="Ask"/> returns.
/// </summary>
internal sealed class RecordedHost : IDisposable
{
    public static readonly IPEndPoint Peer = IPEndPoint.Parse("203.0.113.9:5000");

    public RecordedHost(
        bool withRedis = false, MobileAllocations? mobile = null, int number = 0, TrafficLimits traffic = default, string? alternate = null)
    {
        var settings = new EngineSettings { RelaysIPv6 = true, TcpRelays = true, DontFragment = true, Traffic = traffic };
        Engine = new EngineFixture(settings, mobile: mobile, number: number);
        Clock = new FakeTimeProvider(Engine.Time.Utc);
        Node = new TestNode(Engine, withRedis ? Redis.Connection : null, time: Clock, alternate: alternate);
        Measurements = new Measurements(Node.Meters);
        Path = new RecordingPath(Events);
        (Datagrams, Streams) = (new RecordingTransport(Events), new RecordingTransport(Events));
        Host = new EngineHost(Engine.Engine, Node.Admission, Node.Metrics, Clock, new LoggerFactory([Log]).CreateLogger<EngineHost>())
        {
            Transport = Datagrams,
            TcpRelays = Streams,
        };
        Host.Workers = [Host];
    }

    public EngineFixture Engine { get; }

    public FakeTimeProvider Clock { get; }

    public FakeRedis Redis { get; } = new();

    public TestNode Node { get; }

    public Measurements Measurements { get; }

    public LogRecorder Log { get; } = new();

    /// <summary>What the transports and the path did, in order.</summary>
    public List<string> Events { get; } = [];

    public RecordingPath Path { get; }

    public RecordingTransport Datagrams { get; }

    public RecordingTransport Streams { get; }

    public EngineHost Host { get; }

    public void Dispose()
    {
        Measurements.Dispose();
        Log.Dispose();
    }

    /// <summary>Sends a request and returns its answer; null when there is none.</summary>
    public StunAnswer? Ask(EngineClient client, StunMethod method, WriteAttributes? attributes = null)
    {
        if (client.Nonce.Length == 0) client.Nonce = client.Challenge().Challenge.Nonce;
        return Receive(client, client.Build(method, attributes));
    }

    /// <summary>Receives a packet of a client and returns the answer; null when there is none.</summary>
    public StunAnswer? Receive(EngineClient client, byte[] packet)
    {
        var sent = Path.Sent.Count;
        Connection = Host.Receive(packet, client.Flow, Path);
        return Path.Sent.Count > sent ? new StunAnswer(Path.Sent[^1].Octets) : null;
    }

    /// <summary>The connection that the last packet was bound to.</summary>
    public PeerConnection? Connection { get; private set; }

    public EngineClient NewClient(ClientTransport transport = ClientTransport.Udp, bool hasToken = false) =>
        Engine.NewClient(hasToken ? Engine.NewToken().Native : null, transport);

    /// <summary>A client with an allocation and a permission for <see cref="Peer"/>.</summary>
    public EngineClient Allocated(
        WriteAttributes? attributes = null, ClientTransport transport = ClientTransport.Udp, bool hasToken = false)
    {
        var client = NewClient(transport, hasToken);
        Assert.Equal(StunError.None, Ask(client, StunMethod.Allocate, attributes ?? StunRequest.UdpTransport)!.Error);
        Assert.Equal(StunError.None, Ask(client, StunMethod.CreatePermission, StunRequest.Peer(Peer))!.Error);
        return client;
    }

    /// <summary>The allocation of a client.</summary>
    public Allocation AllocationOf(EngineClient client) =>
        Host.Allocations().Single(entry => entry.Allocation.FiveTuple == client.Flow).Allocation;

    public double Drops(DropReason reason) => Measurements.Sum("turn.relay.drops", $"reason={reason}");

    public double Requests(StunMethod method, StunError error) =>
        Measurements.Sum("turn.requests", $"turn.method={method} turn.error_code={(int)error}");

    /// <summary>Datagrams and octets that were relayed in a direction.</summary>
    public (double Packets, double Bytes) Relayed(string direction) => (
        Measurements.Read("turn.relay.packets", $"direction={direction}"), Measurements.Read("turn.relay.bytes", $"direction={direction}"));

    public static byte[] PeerBuffer(params byte[] payload) =>
        [.. new byte[TurnEngine.Headroom], .. payload, .. new byte[TurnEngine.Tailroom]];
}

/// <summary>A transport of relays that have no sockets.</summary>
internal sealed class RecordingTransport(List<string> events) : ITcpRelayTransport
{
    public List<FakeRelay> Relays { get; } = [];

    /// <summary>The relays that receive, with their allocations.</summary>
    public List<(Relay Relay, Allocation Allocation)> Started { get; } = [];

    /// <summary>Runs at each bind.</summary>
    public Action? OnBind { get; set; }

    /// <summary>The failure of the next binds; null when they succeed.</summary>
    public Exception? BindFails { get; set; }

    /// <summary>The failure of the next starts; null when they succeed.</summary>
    public Exception? StartFails { get; set; }

    /// <summary>The connections that TryConnectAsync returns.</summary>
    public Func<Task<PeerTransport?>> Connect { get; set; } = () => Task.FromResult<PeerTransport?>(new FakePeerTransport());

    /// <summary>The path for packets that another worker has handed over; null for the given one.</summary>
    public ClientPath? OwnPath { get; set; }

    public AllocationDecision Bind(RelayRequest request, InternetAddress server)
    {
        events.Add("bind");
        OnBind?.Invoke();
        if (BindFails is not null) throw BindFails;
        return new AllocationDecision(
            StunError.None, request.IPv4 ? NewRelay("192.0.2.1") : null, request.IPv6 ? NewRelay("2001:db8::1") : null, null);
    }

    public void Start(Relay relay, Allocation allocation)
    {
        events.Add("start");
        if (StartFails is not null) throw StartFails;
        Started.Add((relay, allocation));
    }

    public ClientPath PathFor(in FiveTuple flow, ClientPath path) => OwnPath ?? path;

    public Task<PeerTransport?> TryConnectAsync(Relay relay, TransportAddress peer)
    {
        events.Add($"connect {relay.Bound} {peer}");
        return Connect();
    }

    private FakeRelay NewRelay(string address)
    {
        Relays.Add(new FakeRelay(new TransportAddress(InternetAddress.Parse(address), (ushort)(50_000 + Relays.Count))));
        return Relays[^1];
    }
}
