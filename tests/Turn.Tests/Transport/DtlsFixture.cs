using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Addresses;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Transport.Dtls;
using WebRtcIms.Turn.Transport.Portable;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>A listener for DTLS with a clock that the test moves.</summary>
internal sealed class DtlsFixture : IAsyncLifetime
{
    private readonly TestCertificate _certificate = new();
    private readonly IHost _host;
    private readonly TlsHandshakes _tls;
    private readonly PortableTransport _transport;
    private DtlsListener? _listener;

    public DtlsFixture()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        var settings = new TurnSettings
        {
            Port = FreePorts.TcpAndUdp(),
            Realm = EngineFixture.Realm,
            Transport = TransportMode.Portable,
            TlsCertificate = _certificate.CertificateFile,
            TlsKey = _certificate.KeyFile,
            StaticUsers = [new StaticUserSettings { Name = "alice", Password = "secret" }],
        };
        builder.AddTurn(settings);
        builder.Services.AddLogging();
        builder.Services.AddMetrics();
        builder.Services.Replace(ServiceDescriptor.Singleton<TimeProvider>(Clock));
        _host = builder.Build();

        // Nothing follows the addresses of the machine here.
        _host.Services.GetRequiredService<ListeningAddresses>().Live = [new ListeningAddress(IPAddress.Loopback, null, IsNamed: true)];
        _host.Services.GetRequiredService<EngineSettings>().RelaysIPv4 = true;
        _tls = _host.Services.GetRequiredService<TlsHandshakes>();
        _transport = ActivatorUtilities.CreateInstance<PortableTransport>(_host.Services);
    }

    public FakeTimeProvider Clock { get; } = new(TimeProvider.System.GetUtcNow());

    public IPEndPoint Address { get; } = new(IPAddress.Loopback, FreePorts.TcpAndUdp());

    /// <summary>Has place for two sessions of an address that have not authenticated.</summary>
    public ConnectionAdmission Admission => field ??= new(
        "turn_dtls", new(2, 100, 100, 100), _host.Services.GetRequiredService<IMeterFactory>(), NullLogger<ConnectionAdmission>.Instance);

    public void Sweep() => _listener!.Sweep();

    public async ValueTask InitializeAsync()
    {
        await _tls.StartAsync(CancellationToken.None);
        await _transport.StartAsync(CancellationToken.None);
        var servers = _host.Services.GetRequiredService<IReadOnlyList<EngineHost>>();
        _listener = new DtlsListener(
            Address, servers, _tls, Admission, _host.Services.GetRequiredService<TurnMetrics>(), Clock, NullLogger.Instance);
        _ = _listener.ReceiveAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _listener?.Dispose();
        await _transport.StopAsync(CancellationToken.None);
        await _tls.StopAsync(CancellationToken.None);
        _host.Dispose();
        _certificate.Dispose();
    }
}
