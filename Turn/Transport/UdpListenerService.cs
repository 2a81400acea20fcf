using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.Turn.Transport;

/// <summary>Binds the UDP listeners at start and closes them at the end.</summary>
internal sealed partial class UdpListenerService(TurnSettings settings, TurnServer server, ILogger<UdpListenerService> logger) : IHostedService
{
    private readonly List<UdpListener> _listeners = [];

    public Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var address in settings.ListenAddresses())
        {
            var endpoint = new IPEndPoint(address, settings.Port);
            _listeners.Add(Open(endpoint));
            LogListening(endpoint);
        }

        foreach (var listener in _listeners) _ = listener.ReceiveAsync();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        foreach (var listener in _listeners) listener.Dispose();
        return Task.CompletedTask;
    }

    private UdpListener Open(IPEndPoint endpoint)
    {
        try
        {
            return new UdpListener(endpoint, server);
        }
        catch (SocketException error)
        {
            throw new StartupException($"UDP {endpoint} cannot be bound ({error.SocketErrorCode}): choose another with Turn:Port or Turn:ListenAddress.");
        }
    }

    [LoggerMessage(1, LogLevel.Information, "TURN listens on {Endpoint}, UDP and TCP")]
    private partial void LogListening(IPEndPoint endpoint);
}

/// <summary>The server cannot start, for a reason that a person can mend; the message says how.</summary>
internal sealed class StartupException(string message) : Exception(message);
