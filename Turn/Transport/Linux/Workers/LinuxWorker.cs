using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Transport.Linux.Native;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Transport.Linux.Workers;

/// <summary>A thread with sockets, allocations and buffers of its own, which shares nothing with the other workers.</summary>
internal abstract unsafe class LinuxWorker : IRelayTransport, IDisposable
{
    /// <summary>No datagram is longer, and no message that the kernel puts together.</summary>
    public const int MaxDatagram = ushort.MaxValue;

    private readonly RelayBinder _binder;
    private readonly TurnMetrics _metrics;
    private readonly ErrorQueue _errors = new();
    private readonly Thread _thread;
    private volatile bool _isStopping;

    protected LinuxWorker(EngineHost host, RelayBinder binder, TurnMetrics metrics, int number)
    {
        (Host, _binder, _metrics) = (host, binder, metrics);
        host.Transport = this;
        _thread = new Thread(Run) { IsBackground = true, Name = $"turn worker {number}" };
    }

    protected EngineHost Host { get; }

    /// <summary>The listeners by number, and null in free places. Changed with the server's gate held.</summary>
    protected WorkerListener?[] Listeners { get; private set; } = [];

    protected RelaySlots Relays { get; } = new();

    protected bool IsStopping => _isStopping;

    protected bool IsWorkerThread => Thread.CurrentThread == _thread;

    public void Start() => _thread.Start();

    /// <summary>Listens on an address.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">The address cannot be bound.</exception>
    public void Open(IPEndPoint endpoint)
    {
        using (Host.EnterGate())
        {
            var number = Array.IndexOf(Listeners, null);
            if (number < 0)
            {
                number = Listeners.Length;
                Listeners = [.. Listeners, null];
            }

            var listener = new WorkerListener(endpoint, number, _metrics);
            Listeners[number] = listener;
            BeginReceive(listener);
        }
    }

    /// <summary>Stops listening on an address. Allocations whose clients use it can no longer be reached.</summary>
    public void Close(IPEndPoint endpoint)
    {
        var local = TransportAddress.From(endpoint);
        using (Host.EnterGate())
        {
            if (Array.Find(Listeners, it => it is { IsClosing: false } && it.Local == local) is not { } listener) return;
            listener.IsClosing = true;
            if (TryStop(listener)) Remove(listener);
        }
    }

    public AllocationDecision Bind(RelayRequest request, InternetAddress server) =>
        _binder.Bind(request, server, (bind, advertise, onClosed) => new LinuxRelay(bind, advertise, onClosed));

    public void Start(Relay relay, Allocation allocation)
    {
        var started = (LinuxRelay)relay;
        Relays.Add(started);
        started.Start(allocation, this);
        BeginReceive(started);
    }

    // Every worker listens on the same addresses, so an answer by this one's listener has the same source.
    public ClientPath PathFor(in FiveTuple flow, ClientPath path)
    {
        var server = flow.Server;
        return path is WorkerListener ? Array.Find(Listeners, it => it is { IsClosing: false } && it.Local == server) ?? path : path;
    }

    /// <summary>
    /// Ends what <see cref="BeginReceive(LinuxRelay)"/> began. False when the kernel still uses the socket; then the worker closes it.
    /// The server's gate is held.
    /// </summary>
    public abstract bool TryStop(LinuxRelay relay);

    /// <summary>The kernel did not take datagrams.</summary>
    public void CountNotSent(int lost) => _metrics.CountDrops(DropReason.NotSent, lost);

    /// <summary>
    /// Notifies the client of what the network said about datagrams of a relay. Called by any thread with the server's gate held.
    /// </summary>
    /// <param name="relay">The relay.</param>
    /// <param name="refused">Where a datagram was to go that the kernel has just refused: its report has no port.</param>
    /// <param name="most">How many reports are read at most.</param>
    public void ReceiveErrors(LinuxRelay relay, TransportAddress refused = default, int most = int.MaxValue)
    {
        for (var i = 0; i < most && _errors.TryRead(relay.Descriptor, out var peer, out var error); i++)
        {
            if (peer.Port == 0 && peer.Address == refused.Address) peer = refused;
            if (peer.Port != 0) Host.ReceiveIcmp(relay.Allocation!, peer, error);
        }
    }

    public void Dispose()
    {
        _isStopping = true;
        Wake();
        if (_thread.IsAlive) _thread.Join();
        Release();
        foreach (var listener in Listeners) listener?.Dispose();
        _errors.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Begins to receive what clients send to a listener. The server's gate is held.</summary>
    protected abstract void BeginReceive(WorkerListener listener);

    /// <summary>
    /// Ends what <see cref="BeginReceive(WorkerListener)"/> began. False when the kernel still uses the socket; then the worker removes the
    /// listener later. The server's gate is held.
    /// </summary>
    protected abstract bool TryStop(WorkerListener listener);

    /// <summary>Closes a listener's socket. The server's gate is held.</summary>
    protected void Remove(WorkerListener listener)
    {
        Listeners[listener.Number] = null;
        listener.Dispose();
    }

    /// <summary>Begins to receive what peers send to a relay. The server's gate is held.</summary>
    protected abstract void BeginReceive(LinuxRelay relay);

    /// <summary>Relays until <see cref="IsStopping"/>.</summary>
    protected abstract void Run();

    /// <summary>Makes a waiting thread check for a stop.</summary>
    protected abstract void Wake();

    /// <summary>The thread has ended.</summary>
    protected abstract void Release();

    /// <summary>
    /// Handles a datagram from a peer, with the engine's room around it. Gives the message for the client if it leaves by a listener of
    /// this worker. By any other path it has been sent.
    /// </summary>
    protected WorkerListener? RouteToClient(
        byte* start, int length, LinuxRelay relay, in TransportAddress peer, EngineTime time, out byte* message, out int messageLength)
    {
        var room = start - TurnEngine.Headroom;
        var buffer = new Span<byte>(room, TurnEngine.Headroom + length + TurnEngine.Tailroom);
        var isRouted = Host.TryRouteFromPeer(relay.Allocation!, peer, buffer, time, out var outcome);
        message = room + outcome.Offset;
        messageLength = outcome.Length;
        if (!isRouted) return null;
        if (relay.Allocation!.Path is WorkerListener { IsClosing: false } listener && Owns(listener)) return listener;
        relay.Allocation.Client.Send(new ReadOnlySpan<byte>(message, messageLength));
        return null;
    }

    // During a change another worker may have listeners that this one does not have.
    private bool Owns(WorkerListener listener) => listener.Number < Listeners.Length && Listeners[listener.Number] == listener;
}
