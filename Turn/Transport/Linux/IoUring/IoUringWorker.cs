using System.Collections.Concurrent;
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

namespace WebRtcIms.Turn.Transport.Linux.IoUring;

/// <summary>
/// A worker on io_uring. The kernel fills buffers as datagrams arrive, for all sockets. One system call sends the datagrams of the last
/// iteration, from all sockets, and waits for more.
/// </summary>
/// <remarks>
/// Only this thread closes a socket, so that descriptors in the ring are always valid. It does so after the kernel has released the
/// socket, so that its port is free. Requests of other threads wait in lists under the server's gate.
/// </remarks>
internal sealed unsafe class IoUringWorker : LinuxWorker
{
    private const uint Submissions = 1024;
    private const uint Completions = 4096;

    // The user data of a completion: its kind and its index.
    private const ulong FromClients = 1UL << 32;
    private const ulong FromPeers = 2UL << 32;
    private const ulong Sent = 3UL << 32;
    private const ulong Woken = 4UL << 32;
    private const ulong Cancelled = 5UL << 32;

    private readonly EngineHost _host;
    private readonly TurnMetrics _metrics;
    private readonly Ring _ring = new(Submissions, Completions);
    private readonly RingBuffers _clients;
    private readonly RingBuffers _peers;
    private readonly ErrorQueue _errors = new();
    private readonly List<WorkerListener> _listeners = [];
    private readonly List<IoUringRelay> _toStart = [];
    private readonly List<IoUringRelay> _toStop = [];
    private readonly ConcurrentQueue<IoUringRelay> _toAsk = [];
    private readonly Stack<int> _freeSlots = [];
    private readonly int _wakeDescriptor = Libc.EventDescriptor(0, 0);
    private readonly ulong[] _wakeValue = GC.AllocateArray<ulong>(1, pinned: true);
    private IoUringRelay?[] _relays = new IoUringRelay?[1024];
    private RingSendBatch _sending = new();
    private RingSendBatch _sent = new();
    private int _slotsUsed;
    private bool _segments = true;
    private bool _hasEnded;

    /// <exception cref="RingException">The kernel refuses.</exception>
    public IoUringWorker(EngineHost host, RelayBinder relays, TurnMetrics metrics, IEnumerable<IPEndPoint> endpoints, int number)
        : base(host, relays, number)
    {
        _host = host;
        _metrics = metrics;
        _clients = new RingBuffers(_ring, group: 0);
        _peers = new RingBuffers(_ring, group: 1);
        _listeners.AddRange(endpoints.Select(endpoint => new WorkerListener(endpoint)));
    }

    protected override Relay Open(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed) =>
        new IoUringRelay(bind, advertise, onClosed);

    public override void Start(Relay relay, Allocation allocation) => ((IoUringRelay)relay).Start(allocation, this);

    /// <summary>Begins to receive for a relay. The server's gate is held.</summary>
    public void Watch(IoUringRelay relay)
    {
        if (!_freeSlots.TryPop(out var slot)) slot = _slotsUsed++;
        if (slot == _relays.Length) Array.Resize(ref _relays, 2 * slot);
        _relays[slot] = relay;
        relay.Slot = slot;
        _toStart.Add(relay);
        WakeFromElsewhere();
    }

    /// <summary>Closes a relay soon. False when the worker has ended. The server's gate is held.</summary>
    public bool TryForget(IoUringRelay relay)
    {
        if (_hasEnded) return false;
        _toStop.Add(relay);
        WakeFromElsewhere();
        return true;
    }

    /// <summary>A send has failed: what the network says about it is in the relay's error queue. Called by any thread.</summary>
    public void ExpectErrors(IoUringRelay relay)
    {
        _toAsk.Enqueue(relay);
        WakeFromElsewhere();
    }

    protected override WorkerListener ListenerAt(TransportAddress address) => _listeners.Find(listener => listener.Local == address)!;

    protected override void Run()
    {
        _ring.Enable();
        ReadWakeUps();
        for (var i = 0; i < _listeners.Count; i++) _clients.Receive(_ring, _listeners[i].Descriptor, FromClients | (uint)i);
        while (!IsStopping)
        {
            _ring.Enter(wait: true);
            using (_host.EnterGate()) RunOnce();
            _clients.EndTurn();
            _peers.EndTurn();
            _sent.Clear();
            (_sending, _sent) = (_sent, _sending);
            _sent.Queue(_ring, Sent, _segments);
        }

        _ring.Enter(wait: false);
    }

    protected override void Wake()
    {
        var one = 1UL;
        _ = Libc.Write(_wakeDescriptor, &one, sizeof(ulong));
    }

    protected override void Release()
    {
        _ring.Dispose();
        using (_host.EnterGate())
        {
            _hasEnded = true;
            foreach (var relay in _relays)
            {
                if (relay is { IsClosing: true }) relay.Close();
            }
        }

        foreach (var listener in _listeners) listener.Dispose();
        _ = Libc.Close(_wakeDescriptor);
        _clients.Dispose();
        _peers.Dispose();
        _sending.Dispose();
        _sent.Dispose();
        _errors.Dispose();
    }

    private void WakeFromElsewhere()
    {
        if (!IsWorkerThread) Wake();
    }

    private void RunOnce()
    {
        var time = _host.Now;
        while (_ring.TryRead(out var completion))
        {
            var number = (int)(uint)completion.UserData;
            switch (completion.UserData & ~(ulong)uint.MaxValue)
            {
                case FromClients:
                    ReceiveFromClient(number, completion, time);
                    break;
                case FromPeers:
                    ReceiveFromPeer(_relays[number]!, completion, time);
                    break;
                case Sent:
                    SendAgain(number, completion.Result);
                    break;
                case Woken:
                    ReadWakeUps();
                    break;
            }
        }

        while (_toAsk.TryDequeue(out var relay))
        {
            if (!relay.IsClosing) ReceiveErrors(relay);
        }

        foreach (var relay in _toStart) _peers.Receive(_ring, relay.Descriptor, FromPeers | (uint)relay.Slot);
        _toStart.Clear();
        foreach (var relay in _toStop) Cancel(relay);
        _toStop.Clear();
    }

    private void ReceiveFromClient(int number, in RingCompletion completion, EngineTime time)
    {
        var listener = _listeners[number];
        if (!completion.HasMore) _clients.Receive(_ring, listener.Descriptor, completion.UserData);
        if (!completion.HasBuffer) return;

        var buffer = completion.Buffer;
        _clients.Hold(buffer);
        var sender = _clients.Sender(buffer);
        if (completion.Result < 0 || _clients.IsTruncated(buffer) || sender.Port == 0) return;
        var datagram = new ReadOnlySpan<byte>(_clients.Payload(buffer), _clients.Length(buffer));
        if (!_host.TryRoute(datagram, new FiveTuple(ClientTransport.Udp, sender, listener.Local), listener, time, out var outcome)) return;

        var relay = (IoUringRelay)outcome.Relay!;
        _sending.Add(relay.Descriptor, relay.Slot, outcome.Peer, _clients.Payload(buffer) + outcome.Offset, outcome.Length);
    }

    private void ReceiveFromPeer(IoUringRelay relay, in RingCompletion completion, EngineTime time)
    {
        if (completion.HasBuffer)
        {
            _peers.Hold(completion.Buffer);
            if (completion.Result >= 0 && !relay.IsClosing) RouteFromPeer(relay, completion.Buffer, time);
        }

        if (completion.HasMore) return;
        if (relay.IsClosing)
        {
            _relays[relay.Slot] = null;
            _freeSlots.Push(relay.Slot);
            relay.Close();
            return;
        }

        // An error of the socket is an ICMP error about an earlier datagram.
        if (completion.Result < 0) ReceiveErrors(relay);
        _peers.Receive(_ring, relay.Descriptor, completion.UserData);
    }

    private void RouteFromPeer(IoUringRelay relay, int buffer, EngineTime time)
    {
        if (_peers.IsTruncated(buffer)) return;
        var allocation = relay.Allocation!;
        if (!_host.TryRouteFromPeer(allocation, _peers.Sender(buffer), _peers.WithRoom(buffer), time, out var outcome)) return;

        var start = _peers.Payload(buffer) - TurnEngine.Headroom + outcome.Offset;
        var client = allocation.FiveTuple.Client;
        if (allocation.Path is WorkerListener listener) _sending.Add(listener.Descriptor, -1, client, start, outcome.Length);
        else allocation.Path.Send(client, new ReadOnlySpan<byte>(start, outcome.Length));
    }

    /// <summary>
    /// The kernel did not accept a datagram, or a run of them. One call reports an ICMP error about an earlier datagram and then sends
    /// nothing. A path may also not support UDP_SEGMENT.
    /// </summary>
    private void SendAgain(int index, int result)
    {
        if (result >= 0 || !_sent.Contains(index)) return;
        var error = -result;
        var slot = _sent.RelayOf(index);
        var relay = slot >= 0 ? _relays[slot] : null;

        // There is no room, or the relay has ended meanwhile and another socket may have its descriptor.
        if (error == Libc.Again || (slot >= 0 && relay is not { IsClosing: false }))
        {
            _metrics.CountDrops(DropReason.NotSent, _sent.RunOf(index));
            return;
        }

        if (_sent.RunOf(index) > 1 && error is Libc.InputOutput or Libc.Invalid) _segments = false;
        _metrics.CountDrops(DropReason.NotSent, _sent.SendAgain(index));
        if (relay is not null) ReceiveErrors(relay);
    }

    private void ReceiveErrors(IoUringRelay relay)
    {
        while (_errors.TryRead(relay.Descriptor, out var peer, out var error)) _host.ReceiveIcmp(relay.Allocation!, peer, error);
    }

    private void Cancel(IoUringRelay relay)
    {
        ref var submission = ref _ring.Next();
        submission.Operation = RingSubmission.Cancel;
        submission.Flags = RingSubmission.SkipSuccess;
        submission.Descriptor = -1;
        submission.Address = FromPeers | (uint)relay.Slot;
        submission.UserData = Cancelled;
    }

    private void ReadWakeUps()
    {
        ref var submission = ref _ring.Next();
        submission.Operation = RingSubmission.Read;
        submission.Descriptor = _wakeDescriptor;
        submission.Address = (ulong)System.Runtime.CompilerServices.Unsafe.AsPointer(ref _wakeValue[0]);
        submission.Length = sizeof(ulong);
        submission.UserData = Woken;
    }
}
