using WebRtcIms.Stun.Messages;
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

    private readonly ReceiveBatch _fromClients = new();
    private readonly ReceiveBatch _fromPeers = new();
    private readonly SegmentLimits _limits = new();
    private readonly SendBatch _toPeers;

    // By the number of the listener that they leave by.
    private SendBatch[] _toClients = [];
    private readonly DatagramsApart _apart = new();
    private readonly LinuxRelay[] _relaysInBatch = new LinuxRelay[SendBatch.Capacity];
    private readonly RoutedDatagram[] _routed = new RoutedDatagram[SendBatch.Capacity];
    private readonly byte[] _events = new byte[MaxEvents * Libc.EpollEventLength];
    private readonly int _epoll;
    private int _relayCount;
    private int _routedCount;

    public EpollWorker(EngineHost host, RelayBinder binder, TurnMetrics metrics, int number)
        : base(host, binder, metrics, number)
    {
        _epoll = Libc.EpollCreate(0);
        if (_epoll < 0) throw new InvalidOperationException($"epoll_create1 failed with error {Libc.LastError}");
        _toPeers = new SendBatch(_limits);
    }

    public override bool TryStop(LinuxRelay relay)
    {
        // A request may close a relay behind datagrams of the same batch, and the number of its socket may be the next one's.
        FlushToPeers(relay);
        Relays.Remove(relay);
        return true;
    }

    protected override void BeginReceive(WorkerListener listener)
    {
        if (listener.Number == _toClients.Length) _toClients = [.. _toClients, new SendBatch(_limits)];
        Watch(listener.Descriptor, ListenerMark | (uint)listener.Number);
    }

    // epoll forgets a socket that is closed. Its batch is empty: it was sent before the gate was left.
    protected override bool TryStop(WorkerListener listener) => true;

    protected override void BeginReceive(LinuxRelay relay) => Watch(relay.Descriptor, (uint)relay.Slot);

    // The worker checks for a stop after each wait.
    protected override void Wake()
    {
    }

    protected override void Release()
    {
        _ = Libc.Close(_epoll);
        foreach (var batch in _toClients) batch.Dispose();
        _fromClients.Dispose();
        _fromPeers.Dispose();
        _toPeers.Dispose();
        _apart.Dispose();
    }

    protected override void Run()
    {
        fixed (byte* events = _events)
        {
            while (!IsStopping)
            {
                var count = Libc.EpollWait(_epoll, events, MaxEvents, PollMilliseconds);
                if (count <= 0) continue;
                using (Host.EnterGate()) RunOnce(events, count);
            }
        }
    }

    private void RunOnce(byte* events, int count)
    {
        var time = Host.Now;
        var filled = 0;
        for (var i = 0; i < count; i++)
        {
            var epollEvent = events + (i * Libc.EpollEventLength);
            var data = *(ulong*)(epollEvent + Libc.EpollDataOffset);
            if ((data & ListenerMark) != 0)
            {
                if (Listeners[(int)(uint)data] is { } listener) ReceiveFromClients(listener, time);
                continue;
            }

            if (Relays[(int)data] is not { } relay) continue;
            if ((*(uint*)epollEvent & Libc.EpollError) != 0) ReceiveErrors(relay, most: MaxPerRelay);
            ReceiveFromPeers(relay, ref filled, time);
        }

        FlushToClients();
    }

    private void ReceiveFromClients(WorkerListener listener, EngineTime time)
    {
        // Once per iteration: epoll reports the socket again while it has more, and the relays are handled in between.
        var count = _fromClients.Receive(listener.Descriptor, 0, ReceiveBatch.Capacity);
        for (var slot = 0; slot < count; slot++)
        {
            var length = _fromClients.DatagramLength(slot);
            var flow = new FiveTuple(ClientTransport.Udp, _fromClients.Sender(slot), listener.Local);
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

    private void RouteToPeer(byte* start, int length, in FiveTuple flow, WorkerListener listener, EngineTime time)
    {
        if (!Host.TryRoute(new ReadOnlySpan<byte>(start, length), flow, listener, time, out var outcome)) return;
        if (_routedCount == SendBatch.Capacity) FlushToPeers();

        var routed = _routedCount++;
        _routed[routed] = new RoutedDatagram(outcome.Peer, (nint)start + outcome.Offset, outcome.Length, Next: -1);
        var relay = (LinuxRelay)outcome.Relay!;
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

    private void FlushToPeers(LinuxRelay relay)
    {
        for (var routed = relay.FirstInBatch; routed >= 0; routed = _routed[routed].Next)
            _toPeers.Add(_routed[routed].Peer, (byte*)_routed[routed].Start, _routed[routed].Length);
        relay.FirstInBatch = relay.LastInBatch = -1;
        CountNotSent(_toPeers.Flush(relay.Descriptor));
    }

    private void ReceiveFromPeers(LinuxRelay relay, ref int filled, EngineTime time)
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

    private void RouteToClient(byte* start, int length, bool isAlone, LinuxRelay relay, in TransportAddress peer, EngineTime time)
    {
        if (!isAlone) start = CopyApart(start, length);
        if (RouteToClient(start, length, relay, peer, time, out var message, out var messageLength) is not { } listener) return;
        var batch = _toClients[listener.Number];
        batch.Add(relay.Allocation!.FiveTuple.Client, message, messageLength);
        if (batch.Count == SendBatch.Capacity) FlushToClients();
    }

    // The header of each would be written over the end of the one before it.
    private byte* CopyApart(byte* start, int length)
    {
        // A flush frees all copies, so it comes before the next one is made.
        if (!_apart.HasRoom(length)) FlushToClients();
        return _apart.Copy(start, length);
    }

    private void FlushToClients()
    {
        foreach (var listener in Listeners)
        {
            if (listener is null) continue;
            var batch = _toClients[listener.Number];
            if (batch.Count > 0) CountNotSent(batch.Flush(listener.Descriptor));
        }

        _apart.Clear();
    }

    private void Watch(int descriptor, ulong data)
    {
        UdpSegments.Merge(descriptor);
        var epollEvent = stackalloc byte[Libc.EpollEventLength];
        *(uint*)epollEvent = Libc.EpollIn;
        *(ulong*)(epollEvent + Libc.EpollDataOffset) = data;
        if (Libc.EpollControl(_epoll, Libc.EpollControlAdd, descriptor, epollEvent) < 0)
            throw new InvalidOperationException($"epoll_ctl failed with error {Libc.LastError}");
    }

    /// <summary>A datagram that leaves by a relay, and the number of the next that leaves by the same one.</summary>
    private readonly record struct RoutedDatagram(TransportAddress Peer, nint Start, int Length, int Next);
}
