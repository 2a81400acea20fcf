using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Addresses;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Tests.Addresses;

/// <summary>The server follows the addresses of a machine that the test changes.</summary>
[Requirement("NET-06")]
public sealed class AddressFollowerTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly LogRecorder _logs = new();
    private readonly LoggerFactory _loggers;

    // Replaced rather than changed: the follower may read it on a thread of its own.
    private IReadOnlyList<MachineAddress> _machine = [];
    private readonly RecordingListener _udp = new(3478);
    private readonly RecordingListener _dtls = new(5349);
    private readonly ListeningAddresses _listening = new();
    private readonly EngineSettings _engine = new() { RelaysIPv4 = false };
    private readonly PeerPolicy _policy = new([], [], new HashSet<TransportAddress>(), new LiveRelays());
    private string? _resolved;
    private bool _machineFails;

    public AddressFollowerTests() => _loggers = new LoggerFactory([_logs]);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Wildcard_IsEveryAddressOfItsFamily_AsTheyComeAndGo()
    {
        Have("lo", "127.0.0.1", "::1");
        Have("eth0", "192.0.2.1", "fe80::1", "2001:db8::1");
        using var follower = await StartAsync("0.0.0.0");
        AssertLive("192.0.2.1", "127.0.0.1");
        Assert.Equal((true, false), (_engine.RelaysIPv4, _engine.RelaysIPv6));

        Have("eth1", "10.0.0.1");
        follower.Update();
        AssertLive("192.0.2.1", "10.0.0.1", "127.0.0.1");
        Assert.Contains(InternetAddress.Parse("10.0.0.1"), _policy.Machine);
        Assert.True(_policy.IsOwn(Peer("10.0.0.1:3478")));
        Assert.True(_policy.Allows(InternetAddress.Parse("10.0.0.1")));

        Lose("192.0.2.1");
        follower.Update();
        AssertLive("10.0.0.1", "127.0.0.1");
        Assert.Empty(_udp.Closed);
    }

    [Fact]
    public async Task AddressThatIsGone_KeepsItsListener_ForAsLongAsAllocationsMayLive()
    {
        Have("eth0", "192.0.2.1", "10.0.0.1");
        using var follower = await StartAsync("0.0.0.0");
        Lose("10.0.0.1");
        follower.Update();
        _time.Advance(TimeSpan.FromMinutes(64));
        follower.Update();
        Have("eth0", "10.0.0.1");
        follower.Update();
        Assert.Equal(["192.0.2.1", "10.0.0.1"], _udp.Opened);
        AssertLive("192.0.2.1", "10.0.0.1");

        Lose("10.0.0.1");
        follower.Update();
        _time.Advance(TimeSpan.FromMinutes(64));
        follower.Update();
        Assert.Empty(_udp.Closed);
        _time.Advance(TimeSpan.FromMinutes(2));
        follower.Update();
        Assert.Equal(["10.0.0.1"], _udp.Closed);
        Assert.Equal(["10.0.0.1"], _dtls.Closed);

        Have("eth0", "10.0.0.1");
        follower.Update();
        Assert.Equal(["192.0.2.1", "10.0.0.1", "10.0.0.1"], _udp.Opened);
    }

    [Fact]
    public async Task AddressThatIsNotReady_IsTriedAgain_AndSaidOnce()
    {
        Have("eth0", "2001:db8::1");
        _udp.Fails["2001:db8::1"] = _dtls.Fails["2001:db8::1"] = SocketError.AddressNotAvailable;
        using var follower = await StartAsync("::");
        follower.Update();
        follower.Update();
        AssertLive();
        Assert.Single(_logs.Records, record => record.Contains("[2001:db8::1]:3478 cannot be bound", StringComparison.Ordinal));
        Assert.Single(_logs.Records, record => record.Contains("[2001:db8::1]:5349 cannot be bound", StringComparison.Ordinal));
        Assert.Equal(HealthStatus.Unhealthy, (await HealthAsync()).Status);

        // One of the two ports is enough to be live.
        _udp.Fails.Clear();
        follower.Update();
        AssertLive("2001:db8::1");
        _dtls.Fails.Clear();
        follower.Update();
        Assert.Equal(["2001:db8::1"], _dtls.Opened);
        Assert.Equal(HealthStatus.Healthy, (await HealthAsync()).Status);
    }

    [Theory]
    [InlineData("0.0.0.0", true)]
    [InlineData("192.0.2.1", true)]
    [InlineData("0.0.0.0", false)]
    public async Task PortThatIsTaken_StopsTheStart_AndLaterOnlyTheAddress(string listenAddress, bool isAtStart)
    {
        Have("eth0", "192.0.2.1");
        if (isAtStart)
        {
            _dtls.Fails["192.0.2.1"] = SocketError.AddressAlreadyInUse;
            var error = await Assert.ThrowsAsync<SettingsException>(async () => (await StartAsync(listenAddress)).Dispose());
            Assert.Contains("192.0.2.1:5349 cannot be bound (AddressAlreadyInUse)", error.Message, StringComparison.Ordinal);
            return;
        }

        using var follower = await StartAsync(listenAddress);
        Have("eth0", "10.0.0.1");
        _udp.Fails["10.0.0.1"] = SocketError.AddressAlreadyInUse;
        follower.Update();
        AssertLive("192.0.2.1");
        _udp.Fails.Clear();
        follower.Update();
        AssertLive("192.0.2.1", "10.0.0.1");
    }

    [Fact]
    public async Task NamedAddressThatIsNotThere_IsDegraded_AndListenedOnOnceItComes()
    {
        Have("eth0", "192.0.2.1");
        _udp.Fails["192.0.2.9"] = _dtls.Fails["192.0.2.9"] = SocketError.AddressNotAvailable;
        using var follower = await StartAsync("192.0.2.1,192.0.2.9");
        var health = await HealthAsync();
        Assert.Equal(HealthStatus.Degraded, health.Status);
        Assert.Contains("TURN does not listen on 192.0.2.9", health.Description, StringComparison.Ordinal);
        Assert.Contains("The public side of a NAT belongs in Turn:PublicAddress", health.Description, StringComparison.Ordinal);

        _udp.Fails.Clear();
        _dtls.Fails.Clear();
        Have("eth0", "192.0.2.9");
        follower.Update();
        AssertLive("192.0.2.1", "192.0.2.9");
        Assert.Equal(HealthStatus.Healthy, (await HealthAsync()).Status);

        // A named address keeps its listener for ever.
        Lose("192.0.2.9");
        _time.Advance(TimeSpan.FromDays(1));
        follower.Update();
        AssertLive("192.0.2.1");
        Assert.Empty(_udp.Closed);
        Assert.Equal(HealthStatus.Degraded, (await HealthAsync()).Status);
    }

    [Theory]
    [InlineData("192.0.2.1,192.0.2.1,::ffff:192.0.2.1")]
    [InlineData("192.0.2.1,0.0.0.0,192.0.2.1,0.0.0.0")]
    public async Task AddressThatIsNamedTwice_IsListenedOnOnce(string listenAddress)
    {
        Have("eth0", "192.0.2.1");
        using var follower = await StartAsync(listenAddress);
        AssertLive("192.0.2.1");
        Assert.Equal(["192.0.2.1"], _udp.Opened);
    }

    [Fact]
    public async Task AddressOfARangeThatTheMachineHasAsAWhole_IsLive()
    {
        Have("lo", "127.0.0.1");
        using var follower = await StartAsync("127.0.0.2");
        AssertLive("127.0.0.2");
        Assert.Equal(HealthStatus.Healthy, (await HealthAsync()).Status);
    }

    [Theory]
    [InlineData("fe80::1", null, HealthStatus.Unhealthy, "No relay can be bound")]
    [InlineData("192.0.2.1", "192.0.2.9", HealthStatus.Degraded, "Relays cannot be bound to 192.0.2.9 of Turn:RelayAddress")]
    [InlineData("192.0.2.1", "127.0.0.1", HealthStatus.Healthy, null)]
    public async Task RelaysThatCannotBeBound_AreInTheHealth(
        string listenAddress, string? relayAddress, HealthStatus status, string? problem)
    {
        Have("eth0", "192.0.2.1", "fe80::1");
        using var follower = await StartAsync(listenAddress, relayAddress);
        var health = await HealthAsync();

        Assert.Equal(status, health.Status);
        Assert.Contains(problem ?? "", health.Description ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public async Task PublicName_IsFollowed()
    {
        Have("eth0", "192.0.2.1");
        var (settings, names) = Settings("0.0.0.0", publicAddress: "turn.example.org");
        using var follower = await StartAsync(settings, names);
        var relays = new RelayAddresses(settings, _listening, new PublicAddresses(settings, names));
        Assert.Equal("192.0.2.1", $"{relays.For(AddressFamily.InterNetwork, IPAddress.Loopback)!.Advertised}");
        Assert.Contains("turn.example.org of Turn:PublicAddress has no address", (await HealthAsync()).Description, StringComparison.Ordinal);

        foreach (var address in new[] { "198.51.100.1", "198.51.100.2" })
        {
            _resolved = address;
            await names.ResolveAsync(Cancel);
            follower.Update();
            Assert.Equal(address, $"{relays.For(AddressFamily.InterNetwork, IPAddress.Loopback)!.Advertised}");
            Assert.True(_policy.Allows(InternetAddress.Parse(address)));
            Assert.False(_policy.MayReach(Peer($"{address}:3478")));
        }

        Assert.Equal(HealthStatus.Healthy, (await HealthAsync()).Status);
    }

    [Fact]
    public async Task SystemThatDoesNotSay_ChangesNothing()
    {
        Have("eth0", "192.0.2.1");
        using var follower = await StartAsync("0.0.0.0");
        _machineFails = true;
        follower.Update();

        AssertLive("192.0.2.1");
        Assert.Contains(InternetAddress.Parse("192.0.2.1"), _policy.Machine);
    }

    public void Dispose() => _loggers.Dispose();

    private static TransportAddress Peer(string endpoint) => TransportAddress.From(IPEndPoint.Parse(endpoint));

    private void Have(string network, params string[] addresses) =>
        _machine = [.. _machine, .. addresses.Select(address => new MachineAddress(IPAddress.Parse(address), network))];

    private void Lose(string address) => _machine = [.. _machine.Where(it => !it.Address.Equals(IPAddress.Parse(address)))];

    private void AssertLive(params string[] addresses) => Assert.Equal(addresses, _listening.Live.Select(it => it.Address.ToString()));

    private Task<HealthCheckResult> HealthAsync() =>
        new AddressHealthCheck(_listening, _engine).CheckHealthAsync(new HealthCheckContext(), Cancel);

    private (TurnSettings Settings, HostNames Names) Settings(
        string listenAddress, string? relayAddress = null, string? publicAddress = null) =>
        (new TurnSettings { ListenAddress = listenAddress, RelayAddress = relayAddress, PublicAddress = publicAddress },
            new HostNames(NullLogger<HostNames>.Instance, (_, _) => _resolved is { } address
                ? Task.FromResult<IPAddress[]>([IPAddress.Parse(address)])
                : Task.FromException<IPAddress[]>(new SocketException((int)SocketError.HostNotFound))));

    private Task<AddressFollower> StartAsync(string listenAddress, string? relayAddress = null)
    {
        var (settings, names) = Settings(listenAddress, relayAddress);
        return StartAsync(settings, names);
    }

    private async Task<AddressFollower> StartAsync(TurnSettings settings, HostNames names)
    {
        var publicAddresses = new PublicAddresses(settings, names);
        var follower = new AddressFollower(
            settings, [_udp, _dtls], new NoChanges(), _listening, new RelayAddresses(settings, _listening, publicAddresses), publicAddresses,
            new OwnAddresses(settings, new ConfigurationBuilder().Build(), names), names, _policy, _engine, _time,
            _loggers.CreateLogger<AddressFollower>(), () => _machineFails ? throw new NetworkInformationException() : _machine);
        await follower.StartAsync(Cancel);
        return follower;
    }

    /// <summary>The test asks for updates itself.</summary>
    private sealed class NoChanges : IAddressChanges
    {
        public Task WaitAsync(CancellationToken cancel) => Task.Delay(Timeout.InfiniteTimeSpan, cancel);
    }

    private sealed class RecordingListener(int port) : IAddressListener
    {
        public int Port => port;

        public List<string> Opened { get; } = [];

        public List<string> Closed { get; } = [];

        public Dictionary<string, SocketError> Fails { get; } = [];

        public void Open(IPAddress address)
        {
            if (Fails.TryGetValue(address.ToString(), out var error)) throw new SocketException((int)error);
            Opened.Add(address.ToString());
        }

        public void Close(IPAddress address) => Closed.Add(address.ToString());
    }
}
