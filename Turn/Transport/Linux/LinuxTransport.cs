using System.Net;
using System.Net.Sockets;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Transport.Linux.Epoll;
using WebRtcIms.Turn.Transport.Linux.IoUring;
using WebRtcIms.Turn.Transport.Linux.Workers;
using WebRtcIms.Turn.Transport.Portable;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Transport.Linux;

/// <summary>UDP on Linux: one worker for each server, on epoll or io_uring.</summary>
internal sealed partial class LinuxTransport(
    TurnSettings settings, IReadOnlyList<EngineHost> hosts, RelayBinder relays, TurnMetrics metrics, ILogger<LinuxTransport> logger)
        : IHostedService
{
    private readonly List<LinuxWorker> _workers = [];

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var endpoints = settings.ListenAddresses().Select(address => new IPEndPoint(address, settings.Port)).ToList();
        foreach (var endpoint in endpoints) RefuseTakenPort(endpoint);
        var usesIoUring = settings.Transport == TransportMode.IoUring && IoUringWorks();
        for (var number = 0; number < hosts.Count; number++)
        {
            _workers.Add(usesIoUring
                ? new IoUringWorker(hosts[number], relays, metrics, endpoints, number)
                : new EpollWorker(hosts[number], relays, metrics, endpoints, number));
        }

        foreach (var worker in _workers) worker.Start();
        foreach (var endpoint in endpoints) LogListening(endpoint, hosts.Count, usesIoUring ? "io_uring" : "epoll");
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        foreach (var worker in _workers) worker.Dispose();
        return Task.CompletedTask;
    }

    private bool IoUringWorks()
    {
        if (IoUringProbe.Run() is not { } problem) return true;
        LogNoIoUring(problem);
        return false;
    }

    // With SO_REUSEPORT a second server of the same user would silently share the port and take half of the clients.
    private static void RefuseTakenPort(IPEndPoint endpoint)
    {
        try
        {
            new DatagramSocket(endpoint).Dispose();
        }
        catch (SocketException error)
        {
            throw BindErrors.CannotBind(endpoint, error);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "TURN listens on {Endpoint}, UDP ({Workers} {Kind} workers) and TCP")]
    private partial void LogListening(IPEndPoint endpoint, int workers, string kind);

    [LoggerMessage(2, LogLevel.Warning, "io_uring is not available ({Problem}); falling back to epoll")]
    private partial void LogNoIoUring(string problem);
}
