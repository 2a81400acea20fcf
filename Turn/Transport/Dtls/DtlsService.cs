using System.Collections.Concurrent;
using System.Net;
using WebRtcIms.Turn.Addresses;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Transport.Dtls;

/// <summary>DTLS at the TLS port, where there is a certificate.</summary>
internal sealed partial class DtlsService(
    TurnSettings settings, IReadOnlyList<EngineHost> hosts, TlsHandshakes tls, StreamAdmissions admissions, TurnMetrics metrics,
    TimeProvider time, ILogger<DtlsService> logger) : BackgroundService, IAddressListener
{
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<IPAddress, DtlsListener> _listeners = [];

    public int Port => settings.TlsPort;

    public override Task StartAsync(CancellationToken cancellationToken) =>
        settings.TlsCertificate is null ? Task.CompletedTask : base.StartAsync(cancellationToken);

    public void Open(IPAddress address)
    {
        if (settings.TlsCertificate is null) return;
        var endpoint = new IPEndPoint(address, Port);
        var listener = _listeners[address] = new DtlsListener(endpoint, hosts, tls, admissions.Dtls, metrics, time, logger);
        _ = listener.ReceiveAsync();
        LogListening(endpoint);
    }

    public void Close(IPAddress address)
    {
        if (_listeners.TryRemove(address, out var listener)) listener.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(SweepInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                foreach (var listener in _listeners.Values) listener.Sweep();
            }
        }
        catch (OperationCanceledException)
        {
            foreach (var listener in _listeners.Values) listener.Dispose();
        }
    }

    [LoggerMessage(1, LogLevel.Information, "TURN listens on {Endpoint}, DTLS")]
    private partial void LogListening(IPEndPoint endpoint);
}
