using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.ServiceDefaults.KeyDelivery;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Tests.Admission;
using WebRtcIms.Turn.Tests.Delivery;
using WebRtcIms.Turn.Tests.Running;
using WebRtcIms.Turn.Transport.Linux.IoUring;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Tests.Settings;

/// <summary>Each setting of the section <c>Turn</c> has its effect in the composed services, or in the running server.</summary>
public sealed class SettingEffectTests
{
    private const string LoopbackPeer = "127.0.0.1:9";

    private static readonly TokenKey Key = new("k1");

    private static readonly (string Settings, Func<Task> Check)[] Effects =
    [
        ("ServerName", ServerNameAsync),
        ("Realm", RealmAsync),
        ("Keys:0:Kid, Keys:0:Key", KeyAsync),
        ("Keys:0:Algorithm", AlgorithmAsync),
        ("Keys:0:NotAfter", NotAfterAsync),
        ("KeysFile", KeysFileAsync),
        ("FleetKey", FleetKeyAsync),
        ("KeyDelivery:Address, KeyDelivery:Certificate, KeyDelivery:CertificateKey", KeyDeliveryAsync),
        ("KeyDelivery:Authority", AuthorityAsync),
        ("KeyDelivery:Interval", IntervalAsync),
        ("StaticUsers:0:Name, StaticUsers:0:Password", StaticUserAsync),
        ("SharedSecret", SharedSecretAsync),
        ("SharedSecretTime", SharedSecretTimeAsync),
        ("BrowserProfile:Enabled", BrowserProfileAsync),
        ("ListenAddress, Port", ListenAsync),
        ("TlsPort, TlsCertificate, TlsKey", TlsAsync),
        ("RelayAddress", RelayAddressAsync),
        ("PublicAddress", PublicAddressAsync),
        ("RelayPorts:Min, RelayPorts:Max", RelayPortsAsync),
        ("PeerPolicy", PeerPolicyAsync),
        ("AllowedPeers", () => PeerListAsync("AllowedPeers", "10.1.2.3", StunError.Forbidden, StunError.None)),
        ("DeniedPeers", () => PeerListAsync("DeniedPeers", "8.1.2.3", StunError.None, StunError.Forbidden)),
        ("Transport", TransportAsync),
        ("Workers", WorkersAsync),
        ("Quotas:PerToken", () => QuotaAsync("PerToken", Quota.Token)),
        ("Quotas:AddressesPerToken", () => QuotaAsync("AddressesPerToken", Quota.AddressesOfToken)),
        ("Quotas:PerUser", () => QuotaAsync("PerUser", Quota.User)),
        ("Quotas:PerClientAddress", () => QuotaAsync("PerClientAddress", Quota.ClientAddress)),
        ("Quotas:AllocatesPerMinuteOfToken", () => QuotaAsync("AllocatesPerMinuteOfToken", Quota.RateOfToken)),
        ("Quotas:AllocatesPerMinuteOfClientAddress",
            () => QuotaAsync("AllocatesPerMinuteOfClientAddress", Quota.RateOfClientAddress)),
        ("Quotas:Total", () => QuotaAsync("Total", Quota.Total)),
        ("Quotas:PeersPerAllocation", PeersPerAllocationAsync),
        ("Quotas:PacketsPerSecond", () => TrafficAsync("PacketsPerSecond", "5")),
        ("Quotas:BytesPerSecond", () => TrafficAsync("BytesPerSecond", "500")),
        ("Quotas:ClientAddressTraffic:PacketsPerSecond", () => TrafficAsync("ClientAddressTraffic:PacketsPerSecond", "5", hasToken: true)),
        ("Quotas:ClientAddressTraffic:BytesPerSecond", () => TrafficAsync("ClientAddressTraffic:BytesPerSecond", "500", hasToken: true)),
        ("Quotas:WithoutGrant:PacketsPerSecond", () => TrafficAsync("WithoutGrant:PacketsPerSecond", "5", hasToken: true)),
        ("Quotas:WithoutGrant:BytesPerSecond", () => TrafficAsync("WithoutGrant:BytesPerSecond", "500", hasToken: true)),
        ("Streams:UnauthenticatedPerClientAddress", () => StreamsAsync("UnauthenticatedPerClientAddress", streams =>
            IsClosedFor(streams, "192.0.2.1", "192.0.2.1") && !IsClosedFor(streams, "192.0.2.2", "192.0.2.3"))),
        ("Streams:Unauthenticated", () => StreamsAsync("Unauthenticated", streams => IsClosedFor(streams, "192.0.2.1", "192.0.2.2"))),
        ("Streams:PerClientAddress", () => StreamsAsync("PerClientAddress", streams =>
            streams.TryAdmit(IPAddress.Loopback, () => { })!.TryAuthenticate()
                && !streams.TryAdmit(IPAddress.Loopback, () => { })!.TryAuthenticate())),
        ("Streams:Total", () => StreamsAsync("Total", streams =>
            streams.TryAdmit(IPAddress.Loopback, () => { })!.TryAuthenticate() && streams.TryAdmit(IPAddress.Loopback, () => { }) is null)),
        ("Rfc5766Channels", Rfc5766ChannelsAsync),
        ("DraftAddressFamily", DraftAddressFamilyAsync),
        ("DefaultRelayFamily", DefaultRelayFamilyAsync),
        ("TcpRelays", TcpRelaysAsync),
        ("ChallengesPerSecond", ChallengesPerSecondAsync),
        ("Mobility", MobilityAsync),
        ("OnCacheUnavailable", OnCacheUnavailableAsync),
        ("Drain:Deadline", DrainDeadlineAsync),
        ("Drain:AlternateServer", AlternateServerAsync),
        ("Management:AllowRemote", AllowRemoteAsync),
    ];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> All() => [.. Effects.Select(effect => effect.Settings)];

    [Fact]
    [Requirement("ABUSE-84")]
    public void EverySetting_HasAnEntry() =>
        Assert.Equal(SettingNames.Of(typeof(TurnSettings)).Order(), Effects.SelectMany(effect => effect.Settings.Split(", ")).Order());

    [Theory]
    [MemberData(nameof(All))]
    public Task Setting_HasItsEffect(string settings) => Effects.Single(effect => effect.Settings == settings).Check();

    private static async Task StreamsAsync(string setting, Func<ConnectionAdmission, bool> hasEffect)
    {
        await using var server = await ComposedServer.StartAsync(($"Turn:Streams:{setting}", "1"));
        Assert.True(hasEffect(server.Get<StreamAdmissions>().Streams));
        Assert.True(setting == "Total" || hasEffect(server.Get<StreamAdmissions>().Dtls));
    }

    /// <summary>Whether a stream of one address is closed for one of the other.</summary>
    private static bool IsClosedFor(ConnectionAdmission streams, string one, string other)
    {
        var isClosed = false;
        streams.TryAdmit(IPAddress.Parse(one), () => isClosed = true);
        streams.TryAdmit(IPAddress.Parse(other), () => { });
        return isClosed;
    }

    private static async Task ServerNameAsync()
    {
        await using var server = await ComposedServer.StartAsync([.. Key.Settings(), ("Turn:ServerName", "turn.other.example")]);

        Assert.Equal(
            "turn.other.example",
            (await server.ChallengeAsync(server.NewClient())).Text(StunAttributeType.ThirdPartyAuthorization));
        Assert.Equal(StunError.Unauthenticated, await server.AllocateErrorAsync(server.NewClient(Key.Issue())));
        Assert.Equal(StunError.None, await server.AllocateErrorAsync(server.NewClient(Key.Issue(serverName: "turn.other.example"))));
    }

    // The keys of all users of these tests are also made with it.
    private static async Task RealmAsync()
    {
        await using var server = await ComposedServer.StartAsync(("Turn:Realm", "other.example"));

        Assert.Equal("other.example", (await server.ChallengeAsync(server.NewClient())).Text(StunAttributeType.Realm));
    }

    private static async Task KeyAsync()
    {
        await using var server = await ComposedServer.StartAsync(Key.Settings());

        Assert.Equal(StunError.None, await server.AllocateErrorAsync(server.NewClient(Key.Issue())));
        Assert.Equal(StunError.Unauthenticated, await server.AllocateErrorAsync(server.NewClient(Key.Issue() with { Kid = "k2" })));
        Assert.Equal(StunError.Unauthenticated, await server.AllocateErrorAsync(server.NewClient(new TokenKey("k1").Issue())));
    }

    private static async Task AlgorithmAsync()
    {
        var key = new TokenKey("k1", AccessTokenAlgorithm.A128Gcm);
        await using var server = await ComposedServer.StartAsync([.. key.Settings(), ("Turn:Keys:0:Algorithm", "A128GCM")]);

        Assert.Equal(StunError.None, await server.AllocateErrorAsync(server.NewClient(key.Issue())));
    }

    private static async Task NotAfterAsync()
    {
        var end = TimeProvider.System.GetUtcNow().AddMinutes(5);
        await using var server = await ComposedServer.StartAsync([.. Key.Settings(), ("Turn:Keys:0:NotAfter", $"{end:O}")]);
        Assert.Equal(StunError.None, await server.AllocateErrorAsync(server.NewClient(Key.Issue())));

        server.Time.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal(StunError.Unauthenticated, await server.AllocateErrorAsync(server.NewClient(Key.Issue())));
    }

    private static async Task KeysFileAsync()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, $"[{Key.Json()}]", Cancel);
            await using var server = await ComposedServer.StartAsync(("Turn:KeysFile", file));

            Assert.Equal(StunError.None, await server.AllocateErrorAsync(server.NewClient(Key.Issue())));
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task FleetKeyAsync()
    {
        (string, string) fleetKey = ("Turn:FleetKey", Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));
        await using var server = await ComposedServer.StartAsync(fleetKey);
        await using var same = await ComposedServer.StartAsync(fleetKey);
        await using var other = await ComposedServer.StartAsync();
        var client = server.NewClient();
        client.Nonce = (await server.ChallengeAsync(client)).Value(StunAttributeType.Nonce);

        Assert.Equal(StunError.StaleNonce, await other.AllocateErrorAsync(client));
        Assert.Equal(StunError.None, await same.AllocateErrorAsync(client));
    }

    private static async Task KeyDeliveryAsync()
    {
        await using var fixture = await DeliveryFixture.StartAsync(Key.Delivered(TimeProvider.System.GetUtcNow().AddHours(1)));

        Assert.Equal(fixture.Waf.ClientCertificate.Thumbprint, Assert.Single(fixture.Waf.Requests).Thumbprint);
        Assert.Equal(StunError.None, await fixture.AllocateAsync(Key));
    }

    // The test's certificate is self-signed: no system trusts it.
    private static async Task AuthorityAsync()
    {
        using var other = new TestCertificate();
        foreach (var authority in new[] { null, other.CertificateFile })
        {
            await using var fixture = await DeliveryFixture.CreateAsync(
                null, [Key.Delivered(TimeProvider.System.GetUtcNow().AddHours(1))], ("Turn__KeyDelivery__Authority", authority));
            await fixture.StartDeliveryAsync();
            await fixture.UntilWaitingAsync(KeyFetcher.RetryInterval, 1);

            Assert.Empty(fixture.Waf.Requests);
            Assert.Contains("Turn:KeyDelivery:Authority: TLS with the WAF fails", fixture.Logs[^1], StringComparison.Ordinal);
        }
    }

    private static async Task IntervalAsync()
    {
        await using var fixture = await DeliveryFixture.CreateAsync(
            null, [Key.Delivered(TimeProvider.System.GetUtcNow().AddHours(1))], ("Turn:KeyDelivery:Interval", "00:00:07"));
        await fixture.StartDeliveryAsync();
        await fixture.UntilWaitingAsync(TimeSpan.FromSeconds(7), 1);
        fixture.Turn.Time.Advance(TimeSpan.FromSeconds(7));
        await fixture.UntilWaitingAsync(TimeSpan.FromSeconds(7), 2);

        Assert.Equal(2, fixture.Waf.Requests.Count);
    }

    private static async Task StaticUserAsync()
    {
        await using var server =
            await ComposedServer.StartAsync(("Turn:StaticUsers:0:Name", "dave"), ("Turn:StaticUsers:0:Password", "known"));

        Assert.Equal(StunError.None, await server.AllocateErrorAsync(server.NewClient(StunCredential.Password("dave", "known"))));
        Assert.Equal(
            StunError.Unauthenticated, await server.AllocateErrorAsync(server.NewClient(StunCredential.Password("dave", "other"))));
        Assert.Equal(
            StunError.Unauthenticated, await server.AllocateErrorAsync(server.NewClient(StunCredential.Password("alice", "secret"))));
    }

    private static async Task SharedSecretAsync()
    {
        const string Secret = "shared by all servers";
        await using var server = await ComposedServer.StartAsync(("Turn:SharedSecret", Secret));
        var username = $"{server.Time.GetUtcNow().AddMinutes(1).ToUnixTimeSeconds()}:carol";
        var password = Convert.ToBase64String(HMACSHA1.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes(username)));

        Assert.Equal(StunError.None, await server.AllocateErrorAsync(server.NewClient(StunCredential.Password(username, password))));
    }

    private static async Task SharedSecretTimeAsync()
    {
        const string Secret = "shared by all servers";
        foreach (var (value, lifetime) in new[] { ("FirstUse", 600u), ("Allocation", 60u) })
        {
            await using var server = await ComposedServer.StartAsync(("Turn:SharedSecret", Secret), ("Turn:SharedSecretTime", value));
            var username = $"{server.Time.GetUtcNow().AddMinutes(1).ToUnixTimeSeconds()}:carol";

            Assert.Equal(lifetime, (await server.AllocateAsync(server.NewClient(StunCredential.Ephemeral(username, Secret)))).Lifetime);
        }
    }

    private static async Task BrowserProfileAsync()
    {
        foreach (var isEnabled in new[] { true, false })
        {
            await using var server = await ComposedServer.StartAsync([.. Key.Settings(), ("Turn:BrowserProfile:Enabled", $"{isEnabled}")]);
            var token = Key.Issue();
            var client = server.NewClient(new TestToken(token.Kid, token.Token, token.MacKey).Browser);

            Assert.Equal(isEnabled ? StunError.None : StunError.Unauthenticated, await server.AllocateErrorAsync(client));
        }
    }

    private static async Task ListenAsync()
    {
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings(("Turn__ListenAddress", "127.0.0.1,127.0.0.2")));
        foreach (var address in new[] { "127.0.0.1", "127.0.0.2" })
        {
            await using var client = Alice.Udp(IPAddress.Parse(address), server.Port);
            Assert.True((await client.RequestAsync(StunMethod.Allocate, StunRequest.UdpTransport)).IsSuccess);
            using var stream = new TcpClient();
            await stream.ConnectAsync(address, server.Port, Cancel);
        }

        using var other = new TcpClient();
        await Assert.ThrowsAsync<SocketException>(async () => await other.ConnectAsync("127.0.0.3", server.Port, Cancel));
    }

    private static async Task TlsAsync()
    {
        using var certificate = new TestCertificate();
        await using var server = await TurnServerProcess.StartAsync(Alice.Settings(certificate.Settings));
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, server.TlsPort, Cancel);
        await using var tls = new SslStream(socket.GetStream());

        // The client trusts only this certificate, and the handshake proves that the server has its key.
        await tls.AuthenticateAsClientAsync(certificate.ClientOptions("stun.turn"), Cancel);
        using var dtls = new DtlsClient(new IPEndPoint(IPAddress.Loopback, server.TlsPort));
        dtls.Handshake();
    }

    private static async Task RelayAddressAsync()
    {
        await using var server = await ComposedServer.StartAsync(("Turn:RelayAddress", "127.0.0.3"), ("Turn:PeerPolicy", "AllowLoopback"));
        using var peer = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var client = server.NewClient();
        var relayed = (await server.AllocateAsync(client)).Address(StunAttributeType.XorRelayedAddress).ToIPEndPoint();
        Assert.Equal("127.0.0.3", relayed.Address.ToString());
        await server.PermitAsync(client, LoopbackPeer);
        SendTo(server, client, $"{peer.Client.LocalEndPoint}");

        Assert.Equal(relayed, (await peer.ReceiveAsync(Cancel).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Cancel)).RemoteEndPoint);
    }

    private static async Task PublicAddressAsync()
    {
        await using var server = await ComposedServer.StartAsync(("Turn:PublicAddress", "203.0.113.50"));
        var client = server.NewClient();
        var relayed = (await server.AllocateAsync(client)).Address(StunAttributeType.XorRelayedAddress).ToIPEndPoint();

        Assert.Equal("203.0.113.50", relayed.Address.ToString());
        Assert.Equal(StunError.None, await server.PermitAsync(client, "203.0.113.50:7000"));
        Assert.Equal(StunError.Forbidden, await server.BindAsync(client, 0x4000, "203.0.113.50:7000"));
        Assert.Equal(StunError.None, await server.BindAsync(client, 0x4000, $"{relayed}"));
        Assert.Equal(StunError.Forbidden, await server.BindAsync(client, 0x4001, $"203.0.113.50:{server.Port}"));
    }

    private static async Task RelayPortsAsync()
    {
        var port = FreePorts.Udp();
        await using var server = await ComposedServer.StartAsync(("Turn:RelayPorts:Min", $"{port}"), ("Turn:RelayPorts:Max", $"{port}"));

        Assert.Equal(port, (await server.AllocateAsync(server.NewClient())).Address(StunAttributeType.XorRelayedAddress).Port);
        Assert.Equal(StunError.InsufficientCapacity, await server.AllocateErrorAsync(server.NewClient()));
    }

    private static async Task PeerPolicyAsync()
    {
        (string, StunError, StunError)[] modes =
        [
            ("Default", StunError.Forbidden, StunError.Forbidden), ("AllowLoopback", StunError.None, StunError.None),
            ("AllowThisMachine", StunError.None, StunError.Forbidden),
        ];
        foreach (var (mode, error, others) in modes)
        {
            await using var server = await ComposedServer.StartAsync(("Turn:PeerPolicy", mode), ("Turn:ListenAddress", "127.0.0.1,::1"));
            var client = server.NewClient();
            await server.AllocateAsync(client, StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, 2, 0, 0, 0));

            // The relays are at 127.0.0.1 and ::1, and a permission has no port.
            Assert.Equal(StunError.None, await server.PermitAsync(client, LoopbackPeer));
            Assert.Equal(error, await server.BindAsync(client, 0x4000, LoopbackPeer));
            Assert.Equal(others, await server.PermitAsync(client, "127.255.255.255:9"));
            Assert.Equal(error, await server.BindAsync(client, 0x4001, "[::1]:9"));
            Assert.Equal(StunError.Forbidden, await server.PermitAsync(client, "10.0.0.1:9"));
        }
    }

    private static async Task PeerListAsync(string setting, string peer, StunError without, StunError with)
    {
        foreach (var (range, error) in new[] { ("192.0.2.0/24", without), ($"{peer}/32", with) })
        {
            await using var server =
                await ComposedServer.StartAsync(($"Turn:{setting}:0", "198.51.100.0/24"), ($"Turn:{setting}:1", range));
            var client = server.NewClient();
            await server.AllocateAsync(client);

            Assert.Equal(error, await server.PermitAsync(client, $"{peer}:9"));
        }
    }

    private static async Task TransportAsync()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "epoll and io_uring are Linux's");
        var ioUring = IoUringProbe.Run() is null ? "1 io_uring workers" : "1 epoll workers";
        foreach (var (mode, text) in new[]
            { ("Portable", ", UDP and TCP"), ("Epoll", "1 epoll workers"), ("IoUring", ioUring), ("Auto", "1 epoll workers") })
        {
            await using var server = await ComposedServer.StartAsync(("Turn:Transport", mode), ("Turn:Workers", "1"));
            Assert.Contains(text, server.Logs.Text, StringComparison.Ordinal);
        }
    }

    private static async Task WorkersAsync()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "workers are Linux's");
        await using var server = await ComposedServer.StartAsync(("Turn:Transport", "Epoll"), ("Turn:Workers", "3"));

        Assert.Equal(3, server.Hosts.Count);
        Assert.Contains("UDP (3 epoll workers)", server.Logs.Text, StringComparison.Ordinal);
    }

    /// <summary>Two Allocates of one token, one user and one address: a limit of 1 refuses the second, and a limit of 2 does not.</summary>
    private static async Task QuotaAsync(string setting, Quota quota)
    {
        foreach (var limit in new[] { 1, 2 })
        {
            var redis = new FakeRedis { Grant = """{"client_id":"wwsf","pseudonym":"u-1"}""" };
            await using var server = await ComposedServer.StartAsync(redis, [.. Key.Settings(), ($"Turn:Quotas:{setting}", $"{limit}")]);
            var token = Key.Issue();
            Assert.Equal(StunError.None, await server.AllocateErrorAsync(server.NewClient(token)));
            redis.ClientAddresses = 2;

            Assert.Equal(
                limit == 1 ? StunError.AllocationQuotaReached : StunError.None, await server.AllocateErrorAsync(server.NewClient(token)));
            Assert.All(Enum.GetValues<Quota>(), other =>
                Assert.Equal(limit == 1 && other == quota ? 1 : 0, server.Get<AllocationQuotas>().Refusals(other)));
        }
    }

    private static async Task PeersPerAllocationAsync()
    {
        await using var server = await ComposedServer.StartAsync(("Turn:Quotas:PeersPerAllocation", "1"));
        var client = server.NewClient();
        await server.AllocateAsync(client);

        Assert.Equal(StunError.None, await server.BindAsync(client, 0x4000, "8.8.8.8:9"));
        Assert.Equal(StunError.InsufficientCapacity, await server.BindAsync(client, 0x4001, "8.8.8.8:10"));
        Assert.Equal(StunError.InsufficientCapacity, await server.PermitAsync(client, "8.8.4.4:9"));
    }

    private static async Task TrafficAsync(string setting, string limit, bool hasToken = false)
    {
        foreach (var (value, relayed) in new[] { (limit, 5), ("0", 20) })
        {
            await using var server =
                await ComposedServer.StartAsync(
                    [.. Key.Settings(), ("Turn:PeerPolicy", "AllowLoopback"), ($"Turn:Quotas:{setting}", value)]);
            var client = hasToken ? server.NewClient(Key.Issue()) : server.NewClient();
            await server.AllocateAsync(client);
            await server.PermitAsync(client, LoopbackPeer);
            for (var i = 0; i < 20; i++) SendTo(server, client, LoopbackPeer);

            Assert.Equal(relayed, server.Get<TurnMetrics>().ToPeers.Packets);
        }
    }

    private static async Task Rfc5766ChannelsAsync()
    {
        foreach (var isEnabled in new[] { true, false })
        {
            await using var server = await ComposedServer.StartAsync(("Turn:Rfc5766Channels", $"{isEnabled}"));
            var client = server.NewClient();
            await server.AllocateAsync(client);

            Assert.Equal(isEnabled ? StunError.None : StunError.BadRequest, await server.BindAsync(client, 0x5000, "8.8.8.8:9"));
        }
    }

    private static async Task DraftAddressFamilyAsync()
    {
        foreach (var isEnabled in new[] { true, false })
        {
            await using var server = await ComposedServer.StartAsync(
                ("Turn:DraftAddressFamily", $"{isEnabled}"), ("Turn:ListenAddress", "127.0.0.1,::1"));
            var both = StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamilyDraft, 2, 0, 0, 0);
            var relayed = (await server.AllocateAsync(server.NewClient(), both)).Addresses(StunAttributeType.XorRelayedAddress);

            Assert.Equal(isEnabled ? 2 : 1, relayed.Count);
        }
    }

    private static async Task DefaultRelayFamilyAsync()
    {
        foreach (var (mode, error) in new[] { ("IPv4", StunError.AddressFamilyNotSupported), ("Client", StunError.None) })
        {
            await using var server = await ComposedServer.StartAsync(("Turn:DefaultRelayFamily", mode), ("Turn:ListenAddress", "::1"));
            Assert.Equal(error, await server.AllocateErrorAsync(server.NewClient()));
        }
    }

    private static async Task TcpRelaysAsync()
    {
        foreach (var isEnabled in new[] { true, false })
        {
            await using var server = await ComposedServer.StartAsync(("Turn:TcpRelays", $"{isEnabled}"));
            var error = await server.AllocateErrorAsync(
                server.NewClient(transport: ClientTransport.Tcp),
                (ref StunMessageWriter request) => request.Write(StunAttributeType.RequestedTransport, [6, 0, 0, 0]));

            Assert.Equal(isEnabled ? StunError.None : StunError.UnsupportedTransportProtocol, error);
        }
    }

    private static async Task ChallengesPerSecondAsync()
    {
        await using var server = await ComposedServer.StartAsync(("Turn:ChallengesPerSecond", "1"));
        var client = server.NewClient();
        for (var i = 0; i < 50; i++) server.Receive(StunRequest.Plain(StunMethod.Binding), client.Flow);

        Assert.Equal(10, server.Unread);
    }

    private static async Task MobilityAsync()
    {
        foreach (var isEnabled in new[] { true, false })
        {
            await using var server = await ComposedServer.StartAsync(("Turn:Mobility", $"{isEnabled}"));
            var answer = await server.AllocateAsync(server.NewClient(), StunRequest.UdpWith(StunAttributeType.MobilityTicket));

            Assert.Equal(isEnabled ? StunError.None : StunError.MobilityForbidden, answer.Error);
            Assert.Equal(isEnabled, answer.Has(StunAttributeType.MobilityTicket));
        }
    }

    private static async Task OnCacheUnavailableAsync()
    {
        foreach (var (policy, error) in new[] { ("Deny", StunError.InsufficientCapacity), ("AllowLocal", StunError.None) })
        {
            var redis = new FakeRedis { Answering = Task.FromException(new RedisException("away")) };
            await using var server = await ComposedServer.StartAsync(redis, [.. Key.Settings(), ("Turn:OnCacheUnavailable", policy)]);

            Assert.Equal(error, await server.AllocateErrorAsync(server.NewClient(Key.Issue())));
        }
    }

    private static async Task DrainDeadlineAsync()
    {
        await using var server = await ComposedServer.StartAsync(("Turn:Drain:Deadline", "00:20:00"));
        await server.AllocateAsync(server.NewClient());
        var stopping = server.Get<IHostApplicationLifetime>().ApplicationStopping;
        server.Get<Drain>().OnSignal(new PosixSignalContext(PosixSignal.SIGTERM));
        server.Time.Advance(TimeSpan.FromMinutes(19));
        Assert.False(stopping.IsCancellationRequested);

        // The poll before this one may still be about to set its timer.
        server.Time.Advance(TimeSpan.FromMinutes(1));
        Assert.True(SpinWait.SpinUntil(() => Advanced(server).IsCancellationRequested, TimeSpan.FromSeconds(20)));

        CancellationToken Advanced(ComposedServer server)
        {
            server.Time.Advance(TimeSpan.FromSeconds(1));
            return stopping;
        }
    }

    private static async Task AlternateServerAsync()
    {
        await using var server = await ComposedServer.StartAsync(("Turn:Drain:AlternateServer", "192.0.2.7:3479"));
        server.Get<Drain>().Begin();

        var answer = await server.AllocateAsync(server.NewClient());
        Assert.Equal(StunError.TryAlternate, answer.Error);
        Assert.Equal([0, 1, 3479 >> 8, 3479 & 0xFF, 192, 0, 2, 7], answer.Value(StunAttributeType.AlternateServer));
    }

    // A name other than localhost in Host stands for another machine. Browsers could be made to send one.
    private static async Task AllowRemoteAsync()
    {
        foreach (var isAllowed in new[] { true, false })
        {
            await using var server = await TurnServerProcess.StartAsync(
                Alice.Settings(("Turn__Management__AllowRemote", $"{isAllowed}"), ("AllowedHosts", "turn.example.org")));
            using var http = new HttpClient();
            using var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{server.ManagementPort}/allocations");
            request.Headers.Host = "turn.example.org";

            Assert.Equal(
                isAllowed ? HttpStatusCode.OK : HttpStatusCode.Forbidden, (await http.SendAsync(request, Cancel)).StatusCode);
        }
    }

    private static void SendTo(ComposedServer server, EngineClient client, string peer) =>
        server.Receive(StunRequest.SendIndication(IPEndPoint.Parse(peer), new byte[100]), client.Flow);
}
