using System.Net;
using WebRtcIms.Turn.Addresses;
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
        : IHostedService, IAddressListener
{
    private readonly List<LinuxWorker> _workers = [];
    private bool _usesIoUring;

    public int Port => settings.Port;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _usesIoUring = settings.Transport == TransportMode.IoUring && IoUringWorks();
        for (var number = 0; number < hosts.Count; number++)
        {
            _workers.Add(_usesIoUring
                ? new IoUringWorker(hosts[number], relays, metrics, number)
                : new EpollWorker(hosts[number], relays, metrics, number));
        }

        foreach (var worker in _workers) worker.Start();
        return Task.CompletedTask;
    }

    public void Open(IPAddress address)
    {
        var endpoint = new IPEndPoint(address, Port);

        // With SO_REUSEPORT a second server of the same user would silently share the port and take half of the clients.
        new DatagramSocket(endpoint).Dispose();
        try
        {
            foreach (var worker in _workers) worker.Open(endpoint);
        }
        catch
        {
            Close(address);
            throw;
        }

        LogListening(endpoint, hosts.Count, _usesIoUring ? "io_uring" : "epoll");
    }

    public void Close(IPAddress address)
    {
        foreach (var worker in _workers) worker.Close(new IPEndPoint(address, Port));
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

    [LoggerMessage(1, LogLevel.Information, "TURN listens on {Endpoint}, UDP ({Workers} {Kind} workers) and TCP")]
    private partial void LogListening(IPEndPoint endpoint, int workers, string kind);

    [LoggerMessage(2, LogLevel.Warning, "io_uring is not available ({Problem}); falling back to epoll")]
    private partial void LogNoIoUring(string problem);
}
