using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Transport.Linux.Native;
using WebRtcIms.Turn.Transport.Linux.Workers;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Transport.Linux.Epoll;

/// <summary>
/// A worker on epoll. It waits for all its sockets at once, receives in batches, lets the engine decide, and sends in batches.
/// </summary>
/// <remarks>
/// Towards peers a batch is sorted by relay, because each relay is a socket. Towards clients the datagrams of all relays leave by the
/// listener, so they are collected over all ready relays first. Each direction has its own buffers, and a buffer is reused only after
/// its batch was sent. What the kernel put together (UDP_GRO: bursts of one sender, such as the frames
/// of a video) is one message to receive and again single datagrams to the engine.
/// </remarks>
internal sealed unsafe class EpollWorker : LinuxWorker
{
    private const int MaxEvents = 256;
    private const int PollMilliseconds = 250;

    // A flooded relay must not delay the others. epoll reports it again in the next iteration.
    private const int MaxPerRelay = 32;

    private const ulong ListenerMark = 1UL << 32;

    private readonly EngineHost _host;
    private readonly TurnMetrics _metrics;
    private readonly List<EpollListener> _listeners = [];
    private readonly ReceiveBatch _fromClients = new();
    private readonly ReceiveBatch _fromPeers = new();
    private readonly SendBatch _toPeers = new();
    private readonly ErrorQueue _errors = new();
    private readonly DatagramsApart _apart = new();
    private readonly EpollRelay[] _relaysInBatch = new EpollRelay[SendBatch.Capacity];
    private readonly RoutedDatagram[] _routed = new RoutedDatagram[SendBatch.Capacity];
    private readonly byte[] _events = new byte[MaxEvents * Libc.EpollEventLength];
    private readonly Stack<int> _freeSlots = [];
    private readonly int _epoll;
    private EpollRelay?[] _relays = new EpollRelay?[1024];
    private int _slotsUsed;
    private int _relayCount;
    private int _routedCount;

    public EpollWorker(EngineHost host, RelayBinder relays, TurnMetrics metrics, IEnumerable<IPEndPoint> endpoints, int number)
        : base(host, relays, number)
    {
        _host = host;
        _metrics = metrics;
        _epoll = Libc.EpollCreate(0);
        if (_epoll < 0) throw new InvalidOperationException($"epoll_create1 failed with error {Libc.LastError}");
        foreach (var endpoint in endpoints)
        {
            var listener = new EpollListener(endpoint);
            UdpSegments.Merge(listener.Descriptor);
            Add(listener.Descriptor, ListenerMark | (uint)_listeners.Count);
            _listeners.Add(listener);
        }
    }

    protected override Relay Open(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed) =>
        new EpollRelay(bind, advertise, onClosed);

    public override void Start(Relay relay, Allocation allocation) => ((EpollRelay)relay).Start(allocation, this);

    /// <summary>Begins to wait for a relay. The server's gate is held.</summary>
    public int Watch(EpollRelay relay)
    {
        if (!_freeSlots.TryPop(out var slot)) slot = _slotsUsed++;
        if (slot == _relays.Length) Array.Resize(ref _relays, 2 * slot);
        _relays[slot] = relay;
        UdpSegments.Merge(relay.Descriptor);
        Add(relay.Descriptor, (uint)slot);
        return slot;
    }

    /// <summary>The relay's socket is being closed, which takes it out of the set. The server's gate is held.</summary>
    public void Forget(EpollRelay relay, int slot)
    {
        // A request may close a relay behind datagrams of the same batch, and the number of its socket may be the next one's.
        FlushToPeers(relay);
        _relays[slot] = null;
        _freeSlots.Push(slot);
    }

    protected override WorkerListener ListenerAt(TransportAddress address) => _listeners.Find(listener => listener.Local == address)!;

    // The worker checks for a stop after each wait.
    protected override void Wake()
    {
    }

    protected override void Release()
    {
        _ = Libc.Close(_epoll);
        foreach (var listener in _listeners) listener.Dispose();
        _fromClients.Dispose();
        _fromPeers.Dispose();
        _toPeers.Dispose();
        _apart.Dispose();
        _errors.Dispose();
    }

    protected override void Run()
    {
        fixed (byte* events = _events)
        {
            while (!IsStopping)
            {
                var count = Libc.EpollWait(_epoll, events, MaxEvents, PollMilliseconds);
                if (count <= 0) continue;
                using (_host.EnterGate()) RunOnce(events, count);
            }
        }
    }

    private void RunOnce(byte* events, int count)
    {
        var time = _host.Now;
        var filled = 0;
        for (var i = 0; i < count; i++)
        {
            var epollEvent = events + (i * Libc.EpollEventLength);
            var data = *(ulong*)(epollEvent + Libc.EpollDataOffset);
            if ((data & ListenerMark) != 0)
            {
                ReceiveFromClients(_listeners[(int)(uint)data], time);
                continue;
            }

            if (_relays[(int)data] is not { } relay) continue;
            if ((*(uint*)epollEvent & Libc.EpollError) != 0) ReceiveErrors(relay);
            ReceiveFromPeers(relay, ref filled, time);
        }

        FlushToClients();
    }

    private void ReceiveFromClients(EpollListener listener, EngineTime time)
    {
        // Once per iteration: epoll reports the socket again while it has more, and the relays are handled in between.
        var count = _fromClients.Receive(listener.Descriptor, 0, ReceiveBatch.Capacity);
        for (var slot = 0; slot < count; slot++)
        {
            var sender = _fromClients.Sender(slot);
            var length = _fromClients.DatagramLength(slot);
            if (length > LinuxWorker.MaxDatagram || sender.Port == 0) continue;
            var flow = new FiveTuple(ClientTransport.Udp, sender, listener.Local);
            var start = _fromClients.Payload(slot);
            var left = _fromClients.Length(slot);
            do
            {
                RouteToPeer(start, Math.Min(length, left), flow, listener, time);
                start += length;
                left -= length;
            }
            while (left > 0);
        }

        FlushToPeers();
    }

    private void RouteToPeer(byte* start, int length, in FiveTuple flow, EpollListener listener, EngineTime time)
    {
        if (!_host.TryRoute(new ReadOnlySpan<byte>(start, length), flow, listener, time, out var outcome)) return;
        if (_routedCount == SendBatch.Capacity) FlushToPeers();

        var routed = _routedCount++;
        _routed[routed] = new RoutedDatagram(outcome.Peer, (nint)start + outcome.Offset, outcome.Length, Next: -1);
        var relay = (EpollRelay)outcome.Relay!;
        if (relay.FirstInBatch < 0)
        {
            relay.FirstInBatch = routed;
            _relaysInBatch[_relayCount++] = relay;
        }
        else
        {
            _routed[relay.LastInBatch] = _routed[relay.LastInBatch] with { Next = routed };
        }

        relay.LastInBatch = routed;
    }

    private void FlushToPeers()
    {
        for (var i = 0; i < _relayCount; i++) FlushToPeers(_relaysInBatch[i]);
        _relayCount = _routedCount = 0;
    }

    private void FlushToPeers(EpollRelay relay)
    {
        for (var routed = relay.FirstInBatch; routed >= 0; routed = _routed[routed].Next)
            _toPeers.Add(_routed[routed].Peer, (byte*)_routed[routed].Start, _routed[routed].Length);
        relay.FirstInBatch = relay.LastInBatch = -1;
        _metrics.CountDrops(DropReason.NotSent, _toPeers.Flush(relay.Descriptor));
    }

    private void ReceiveFromPeers(EpollRelay relay, ref int filled, EngineTime time)
    {
        if (filled == ReceiveBatch.Capacity)
        {
            FlushToClients();
            filled = 0;
        }

        var count = _fromPeers.Receive(relay.Descriptor, filled, Math.Min(MaxPerRelay, ReceiveBatch.Capacity - filled));
        for (var slot = filled; slot < filled + count; slot++)
        {
            var length = _fromPeers.DatagramLength(slot);
            if (length > LinuxWorker.MaxDatagram) continue;
            var sender = _fromPeers.Sender(slot);
            var start = _fromPeers.Payload(slot);
            var left = _fromPeers.Length(slot);
            var isAlone = left <= length;
            do
            {
                RouteToClient(start, Math.Min(length, left), isAlone, relay, sender, time);
                start += length;
                left -= length;
            }
            while (left > 0);
        }

        filled += count;
    }

    private void RouteToClient(byte* start, int length, bool isAlone, EpollRelay relay, in TransportAddress peer, EngineTime time)
    {
        var listener = relay.Allocation!.Path as EpollListener;
        if (_apart.IsFull || listener?.ToClients.Count == SendBatch.Capacity) FlushToClients();

        // The header of each would be written over the end of the one before it.
        if (!isAlone) start = _apart.Copy(start, length);
        var room = start - TurnEngine.Headroom;
        var buffer = new Span<byte>(room, TurnEngine.Headroom + length + TurnEngine.Tailroom);
        if (!_host.TryRouteFromPeer(relay.Allocation, peer, buffer, time, out var outcome)) return;

        var client = relay.Allocation.FiveTuple.Client;
        if (listener is not null) listener.ToClients.Add(client, room + outcome.Offset, outcome.Length);
        else relay.Allocation.Path.Send(client, new ReadOnlySpan<byte>(room + outcome.Offset, outcome.Length));
    }

    private void ReceiveErrors(EpollRelay relay)
    {
        for (var i = 0; i < MaxPerRelay && _errors.TryRead(relay.Descriptor, out var peer, out var error); i++)
            _host.ReceiveIcmp(relay.Allocation!, peer, error);
    }

    private void FlushToClients()
    {
        foreach (var listener in _listeners)
        {
            if (listener.ToClients.Count > 0) _metrics.CountDrops(DropReason.NotSent, listener.ToClients.Flush(listener.Descriptor));
        }

        _apart.Clear();
    }

    private void Add(int descriptor, ulong data)
    {
        var epollEvent = stackalloc byte[Libc.EpollEventLength];
        *(uint*)epollEvent = Libc.EpollIn;
        *(ulong*)(epollEvent + Libc.EpollDataOffset) = data;
        if (Libc.EpollControl(_epoll, Libc.EpollControlAdd, descriptor, epollEvent) < 0)
            throw new InvalidOperationException($"epoll_ctl failed with error {Libc.LastError}");
    }

    /// <summary>A datagram that leaves by a relay, and the number of the next that leaves by the same one.</summary>
    private readonly record struct RoutedDatagram(TransportAddress Peer, nint Start, int Length, int Next);
}
