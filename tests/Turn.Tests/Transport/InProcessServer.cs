using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Addresses;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Tests.Telemetry;
using WebRtcIms.Turn.Transport.Dtls;
using WebRtcIms.Turn.Transport.Linux;
using WebRtcIms.Turn.Transport.Portable;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>The server's UDP and DTLS side with one engine in this process, on one of its back ends.</summary>
internal sealed class InProcessServer : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly TestCertificate _certificate = new();
    private readonly IHost _app;
    private readonly List<IHostedService> _services;
    private readonly Measurements _measurements;

    private InProcessServer(string transport)
    {
        var settings = new TurnSettings
        {
            Port = Address.Port,
            TlsPort = DtlsAddress.Port,
            ListenAddress = Address.Address.ToString(),
            PublicAddress = Advertised.ToString(),
            Transport = Enum.Parse<TransportMode>(transport),
            Workers = 1,
            TlsCertificate = _certificate.CertificateFile,
            TlsKey = _certificate.KeyFile,
            StaticUsers = [new StaticUserSettings { Name = "alice", Password = "secret" }],
        };
        var builder = Host.CreateEmptyApplicationBuilder(new());
        builder.AddTurn(settings);
        builder.Services.AddLogging();
        builder.Services.AddMetrics();
        builder.Services.AddSingleton(TimeProvider.System);
        _app = builder.Build();
        _services = [.. _app.Services.GetServices<IHostedService>().Where(service =>
            service is TlsHandshakes or PortableTransport or LinuxTransport or DtlsService or AddressFollower)];
        _measurements = new Measurements(_app.Services.GetRequiredService<IMeterFactory>());
    }

    /// <summary>Another address of the server, where nothing listens.</summary>
    public static IPAddress Advertised { get; } = IPAddress.Parse("127.0.0.9");

    public IPEndPoint Address { get; } = new(IPAddress.Loopback, FreePorts.TcpAndUdp());

    public IPEndPoint DtlsAddress { get; } = new(IPAddress.Loopback, FreePorts.TcpAndUdp());

    public static async Task<InProcessServer> StartAsync(string transport)
    {
        Assert.SkipUnless(transport == "Portable" || OperatingSystem.IsLinux(), "a back end of Linux");
        var server = new InProcessServer(transport);
        foreach (var service in server._services) await service.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    /// <summary>The allocation of a new client over UDP.</summary>
    public async Task<Allocation> AllocateAsync()
    {
        await using var client = StunTestClient.Udp(Address);
        var answer = await client.AllocateAsync(StunCredential.Password("alice", "secret"));
        Assert.True(answer.IsSuccess);
        var host = _app.Services.GetRequiredService<IReadOnlyList<EngineHost>>().Single();
        return host.Allocations().Single(it => it.Allocation.FiveTuple.Client == TransportAddress.From(client.LocalEndPoint)).Allocation;
    }

    public double Drops(string reason) => _measurements.Sum("turn.relay.drops", $"reason={reason}");

    /// <summary>Waits until this many datagrams have been dropped for a reason.</summary>
    public void AssertDrops(string reason, long count)
    {
        SpinWait.SpinUntil(() => Drops(reason) >= count, Limit);
        Assert.Equal(count, Drops(reason));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var service in Enumerable.Reverse(_services)) await service.StopAsync(CancellationToken.None);
        _measurements.Dispose();
        _app.Dispose();
        _certificate.Dispose();
    }
}
