using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn.Transport;

/// <summary>UDP on the socket API alone, for every system: correct first. All runs on the first server.</summary>
internal sealed partial class PortableTransport(TurnSettings settings, IReadOnlyList<TurnServer> servers, ILogger<PortableTransport> logger) : IHostedService, IRelayTransport
{
    private readonly List<UdpListener> _listeners = [];
    private readonly TurnServer _server = servers[0];

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _server.Transport = this;
        foreach (var address in settings.ListenAddresses())
        {
            var endpoint = new IPEndPoint(address, settings.Port);
            _listeners.Add(Listen(endpoint));
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

    public Relay Open(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed) => new RelaySocket(bind, advertise, onClosed);

    public void Start(Relay relay, Allocation allocation) => ((RelaySocket)relay).Start(allocation, _server.ReceiveFromPeer);

    public ClientPath PathFor(in FiveTuple flow, ClientPath path) => path;

    private UdpListener Listen(IPEndPoint endpoint)
    {
        try
        {
            return new UdpListener(endpoint, _server);
        }
        catch (SocketException error)
        {
            throw StartupException.CannotBind(endpoint, error);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "TURN listens on {Endpoint}, UDP and TCP")]
    private partial void LogListening(IPEndPoint endpoint);
}

/// <summary>The server cannot start, for a reason that a person can mend; the message says how.</summary>
internal sealed class StartupException(string message) : Exception(message)
{
    public static StartupException CannotBind(IPEndPoint endpoint, SocketException error) =>
        new($"UDP {endpoint} cannot be bound ({error.SocketErrorCode}): choose another with Turn:Port, Turn:TlsPort or Turn:ListenAddress.");
}
