using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Tests.Addresses;
using WebRtcIms.Turn.Tests.Telemetry;
using WebRtcIms.Turn.Transport.Relays;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>An Allocate gets 508 when something is used up. The count and the log say what.</summary>
public sealed class ShortageTests : IDisposable
{
    private const int First = 50_000;
    private const int Ports = 4;

    private static readonly RelayRequest One = new(IPv4: true, IPv6: false, EvenPort: false, ReserveNext: false);
    private static readonly RelayRequest Pair = new(IPv4: true, IPv6: false, EvenPort: true, ReserveNext: true);

    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly FakeTimeProvider _clock = new();
    private readonly LogRecorder _log = new();
    private readonly Measurements _measurements;
    private readonly RelayBinder _binder;
    private readonly RelaySockets _sockets = new(2 * Ports);
    private SocketError? _failure;
    private int _attempts;

    public ShortageTests()
    {
        var meters = _services.GetRequiredService<IMeterFactory>();
        _measurements = new Measurements(meters);
        var settings = new TurnSettings { RelayPorts = new RelayPortSettings { Min = First, Max = First + Ports - 1 } };
        var shortages = new RelayShortages(settings, new TurnMetrics(meters), _clock, Logger);
        _binder = new RelayBinder(settings, Listening.RelaysOf(settings), new LiveRelays(), _sockets, shortages, new Random(1));
    }

    public void Dispose()
    {
        _measurements.Dispose();
        _services.Dispose();
    }

    [Theory]
    [InlineData(SocketError.TooManyOpenSockets, "Descriptors")]
    [InlineData(SocketError.NoBufferSpaceAvailable, "Memory")]
    [InlineData(SocketError.AddressNotAvailable, "Address")]
    [Requirement("NET-08")]
    public void CauseThatNoOtherPortMends_IsFoundAtOnce_AndNothingStaysTaken(SocketError error, string cause)
    {
        foreach (var request in new[] { One, Pair })
        {
            (_failure, _attempts) = (error, 0);
            Assert.Equal(StunError.InsufficientCapacity, Bind(request).Error);
            Assert.Equal((1, 0), (_attempts, _sockets.Open));
        }

        Assert.Equal(2, _measurements.Sum("turn.relay.shortages", $"cause={cause}"));
        AssertAllPortsAreFree();
    }

    [Fact]
    [Requirement("NET-08")]
    public void PortsOfOtherPrograms_AreTriedOnce_AndTheCauseIsPorts()
    {
        _failure = SocketError.AddressAlreadyInUse;
        Assert.Equal(StunError.InsufficientCapacity, Bind(One).Error);

        Assert.Equal((Ports, 0), (_attempts, _sockets.Open));
        Assert.Equal(1, _measurements.Sum("turn.relay.shortages", "cause=Ports"));
        AssertAllPortsAreFree();
    }

    [Fact]
    [Requirement("NET-08")]
    public void ExceptionOfAnotherKind_LeavesNoPortTaken()
    {
        foreach (var request in new[] { One, Pair }) Assert.Throws<InvalidOperationException>(() => Bind(request, isBroken: true));

        Assert.Equal(0, _sockets.Open);
        AssertAllPortsAreFree();
    }

    [Fact]
    [Requirement("NET-08")]
    public void ShareOfDescriptors_IsTheCause_WhenItIsUsedUp()
    {
        var small = new RelaySockets(1);
        Assert.True(small.TryTake());
        var settings = new TurnSettings();
        var shortages = new RelayShortages(
            settings, new TurnMetrics(_services.GetRequiredService<IMeterFactory>()), _clock, Logger);
        var binder = new RelayBinder(settings, Listening.RelaysOf(settings), new LiveRelays(), small, shortages, new Random(1));

        Assert.Equal(StunError.InsufficientCapacity, binder.Bind(One, InternetAddress.Parse("127.0.0.1"), Open).Error);

        Assert.Equal(0, _attempts);
        Assert.Equal(1, _measurements.Sum("turn.relay.shortages", "cause=Descriptors"));
        Assert.Contains("no file descriptor is left for a relay", Assert.Single(_log.Records), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("NET-08")]
    public async Task WhileTheHeapIsNearlyFull_NothingIsOpened_AndStreamsAreClosed(bool isLow)
    {
        var settings = new TurnSettings();
        var meters = _services.GetRequiredService<IMeterFactory>();
        var shortages = new RelayShortages(settings, new TurnMetrics(meters), _clock, Logger) { IsMemoryLow = () => isLow };
        var binder = new RelayBinder(settings, Listening.RelaysOf(settings), new LiveRelays(), _sockets, shortages, new Random(1));
        await using var stream = new StreamFixture();
        var isServed = false;

        Assert.Equal(
            isLow ? StunError.InsufficientCapacity : StunError.None, binder.Bind(One, InternetAddress.Parse("127.0.0.1"), Open).Error);
        await StreamMemory.ServeAsync(stream.Connection, _ => Task.FromResult(isServed = true), shortages);

        Assert.Equal((isLow ? 0 : 1, !isLow, isLow), (_attempts, isServed, stream.IsAborted));
        Assert.Equal(isLow ? 2 : 0, _measurements.Sum("turn.relay.shortages", "cause=Memory"));
    }

    [Theory]
    [InlineData(75, 100, false)]
    [InlineData(76, 100, true)]
    [InlineData(76, 0, false)]
    [Requirement("NET-08")]
    public void AQuarterOfTheHeap_IsLeftToThoseThatExist(long used, long available, bool isLow) =>
        Assert.Equal(isLow, ProcessMemory.IsLowFor(used, available));

    [Fact]
    [Requirement("NET-08")]
    public void EachCause_IsLoggedOnceAMinute()
    {
        _failure = SocketError.TooManyOpenSockets;
        for (var i = 0; i < 100; i++) Bind(One);
        Assert.Single(_log.Records);

        _failure = SocketError.AddressAlreadyInUse;
        Bind(One);
        Assert.Equal(2, _log.Records.Count);
        Assert.Contains("no port from 50000 to 50003 is free", _log.Records[1], StringComparison.Ordinal);

        _clock.Advance(TimeSpan.FromSeconds(59));
        Bind(One);
        Assert.Equal(2, _log.Records.Count);
        _clock.Advance(TimeSpan.FromSeconds(2));
        Bind(One);
        Assert.Equal(3, _log.Records.Count);
    }

    [Fact]
    [Requirement("CLIENT-8")]
    [Requirement("RFC6062-5.1")]
    public void TcpAndUdp_HavePortsOfTheirOwn()
    {
        var udp = Enumerable.Range(0, Ports).Select(_ => Bind(One)).ToList();
        Assert.Equal(StunError.InsufficientCapacity, Bind(One).Error);
        var tcp = Enumerable.Range(0, Ports).Select(_ => Bind(One with { IsTcp = true })).ToList();
        Assert.Equal(StunError.InsufficientCapacity, Bind(One with { IsTcp = true }).Error);

        foreach (var decisions in new[] { udp, tcp })
            Assert.Equal(Enumerable.Range(First, Ports), decisions.Select(decision => (int)decision.IPv4!.Bound.Port).Order());
        tcp[0].IPv4!.Dispose();
        Assert.Equal(StunError.InsufficientCapacity, Bind(One).Error);
        Assert.Equal(tcp[0].IPv4!.Bound.Port, Bind(One with { IsTcp = true }).IPv4!.Bound.Port);
    }

    private ILogger<RelayShortages> Logger => new LoggerFactory([_log]).CreateLogger<RelayShortages>();

    private void AssertAllPortsAreFree()
    {
        _failure = null;
        var pairs = new[] { Bind(Pair), Bind(Pair) };
        Assert.All(pairs, pair => Assert.Equal(StunError.None, pair.Error));
        foreach (var pair in pairs)
        {
            pair.IPv4!.Dispose();
            pair.Reserved!.Dispose();
        }

        Assert.Equal(0, _sockets.Open);
    }

    private AllocationDecision Bind(RelayRequest request, bool isBroken = false) => _binder.Bind(
        request, InternetAddress.Parse("127.0.0.1"), isBroken ? (_, _, _) => throw new InvalidOperationException() : Open);

    private Relay Open(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed)
    {
        _attempts++;
        if (_failure is { } failure) throw new SocketException((int)failure);
        return new Closing(bind, advertise, onClosed);
    }

    private sealed class Closing(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed)
        : Relay(TransportAddress.From(bind), new TransportAddress(advertise, (ushort)bind.Port))
    {
        public override void Send(in TransportAddress peer, ReadOnlySpan<byte> payload)
        {
        }

        public override void SendUnfragmented(in TransportAddress peer, ReadOnlySpan<byte> payload)
        {
        }

        public override void Dispose() => onClosed(Bound.Port);
    }
}
