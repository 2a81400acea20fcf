using System.Net;
using System.Net.Sockets;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Transport.Streams;

namespace WebRtcIms.Turn.Transport.Dtls;

/// <summary>DTLS on every listening address, at the TLS port, where there is a certificate.</summary>
internal sealed partial class DtlsService(
    TurnSettings settings, IReadOnlyList<EngineHost> hosts, TlsHandshakes tls, StreamAdmissions admissions, TurnMetrics metrics,
    TimeProvider time, ILogger<DtlsService> logger) : BackgroundService
{
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(5);

    private readonly List<DtlsListener> _listeners = [];

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        if (settings.TlsCertificate is null) return Task.CompletedTask;
        foreach (var address in settings.ListenAddresses())
        {
            var endpoint = new IPEndPoint(address, settings.TlsPort);
            _listeners.Add(Listen(endpoint));
            LogListening(endpoint);
        }

        foreach (var listener in _listeners) _ = listener.ReceiveAsync();
        return base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(SweepInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                foreach (var listener in _listeners) listener.Sweep();
            }
        }
        catch (OperationCanceledException)
        {
            foreach (var listener in _listeners) listener.Dispose();
        }
    }

    private DtlsListener Listen(IPEndPoint endpoint)
    {
        try
        {
            return new DtlsListener(endpoint, hosts, tls, admissions.Dtls, metrics, time, logger);
        }
        catch (SocketException error)
        {
            throw BindErrors.CannotBind(endpoint, error);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "TURN listens on {Endpoint}, DTLS")]
    private partial void LogListening(IPEndPoint endpoint);
}
