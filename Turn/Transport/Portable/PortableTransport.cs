using System.Collections.Concurrent;
using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Addresses;
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
        : IHostedService, IRelayTransport, IAddressListener
{
    private readonly ConcurrentDictionary<IPAddress, UdpListener> _listeners = [];
    private readonly EngineHost _host = hosts[0];

    public int Port => settings.Port;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _host.Transport = this;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        foreach (var listener in _listeners.Values) listener.Dispose();
        return Task.CompletedTask;
    }

    public void Open(IPAddress address)
    {
        var endpoint = new IPEndPoint(address, Port);
        var listener = _listeners[address] = new UdpListener(endpoint, _host, metrics);
        _ = listener.ReceiveAsync();
        LogListening(endpoint);
    }

    public void Close(IPAddress address)
    {
        if (_listeners.TryRemove(address, out var listener)) listener.Dispose();
    }

    public AllocationDecision Bind(RelayRequest request, InternetAddress server) =>
        relays.Bind(request, server, (bind, advertise, onClosed) => new PortableRelay(bind, advertise, onClosed, metrics));

    public void Start(Relay relay, Allocation allocation) => ((PortableRelay)relay).Start(allocation, _host.ReceiveFromPeer);

    public ClientPath PathFor(in FiveTuple flow, ClientPath path) => path;

    [LoggerMessage(1, LogLevel.Information, "TURN listens on {Endpoint}, UDP and TCP")]
    private partial void LogListening(IPEndPoint endpoint);
}
