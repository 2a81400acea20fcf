using System.Net;
using System.Net.Sockets;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Transport.Portable;

/// <summary>UDP on the socket API alone, for every system: correct first. All runs on the first server.</summary>
internal sealed partial class PortableTransport(
    TurnSettings settings, IReadOnlyList<EngineHost> hosts, RelayBinder relays, TurnMetrics metrics, ILogger<PortableTransport> logger)
        : IHostedService, IRelayTransport
{
    private readonly List<UdpListener> _listeners = [];
    private readonly EngineHost _host = hosts[0];

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _host.Transport = this;
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

    public AllocationDecision Bind(RelayRequest request) =>
        relays.Bind(request, (bind, advertise, onClosed) => new PortableRelay(bind, advertise, onClosed, metrics));

    public void Start(Relay relay, Allocation allocation) => ((PortableRelay)relay).Start(allocation, _host.ReceiveFromPeer);

    public ClientPath PathFor(in FiveTuple flow, ClientPath path) => path;

    private UdpListener Listen(IPEndPoint endpoint)
    {
        try
        {
            return new UdpListener(endpoint, _host, metrics);
        }
        catch (SocketException error)
        {
            throw BindErrors.CannotBind(endpoint, error);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "TURN listens on {Endpoint}, UDP and TCP")]
    private partial void LogListening(IPEndPoint endpoint);
}
