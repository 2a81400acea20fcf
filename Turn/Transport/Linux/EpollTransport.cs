using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.Turn.Transport.Linux;

/// <summary>UDP on Linux: one worker for each server.</summary>
internal sealed partial class EpollTransport(
    TurnSettings settings, IReadOnlyList<TurnServer> servers, TurnMetrics metrics, ILogger<EpollTransport> logger) : IHostedService
{
    private readonly List<EpollWorker> _workers = [];

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var endpoints = settings.ListenAddresses().Select(address => new IPEndPoint(address, settings.Port)).ToList();
        foreach (var endpoint in endpoints) RefuseTakenPort(endpoint);
        for (var number = 0; number < servers.Count; number++) _workers.Add(new EpollWorker(servers[number], metrics, endpoints, number));
        foreach (var worker in _workers) worker.Start();
        foreach (var endpoint in endpoints) LogListening(endpoint, servers.Count);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        foreach (var worker in _workers) worker.Dispose();
        return Task.CompletedTask;
    }

    // SO_REUSEPORT would let a second server of the same user share the port in silence, and half the clients with it.
    private static void RefuseTakenPort(IPEndPoint endpoint)
    {
        try
        {
            new DatagramSocket(endpoint).Dispose();
        }
        catch (SocketException error)
        {
            throw StartupException.CannotBind(endpoint, error);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "TURN listens on {Endpoint}, UDP ({Workers} epoll workers) and TCP")]
    private partial void LogListening(IPEndPoint endpoint, int workers);
}
