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
/// socket, so that its port is free, and after the kernel has accepted what leaves by it. Requests of other threads wait in lists under
/// the server's gate.
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

    private readonly Ring _ring = new(Submissions, Completions);
    private readonly RingBuffers _clients;
    private readonly RingBuffers _peers;
    private readonly List<WorkerListener> _listenersToStart = [];
    private readonly List<WorkerListener> _listenersToStop = [];
    private readonly List<LinuxRelay> _toStart = [];
    private readonly List<LinuxRelay> _toStop = [];
    private readonly List<IWorkerSocket> _toClose = [];
    private readonly int _wakeDescriptor = Libc.EventDescriptor(0, 0);
    private readonly ulong[] _wakeValue = GC.AllocateArray<ulong>(1, pinned: true);
    private RingSendBatch _sending;
    private RingSendBatch _sent;
    private ushort _turn;
    private bool _hasEnded;

    /// <exception cref="RingException">The kernel refuses.</exception>
    public IoUringWorker(EngineHost host, RelayBinder binder, TurnMetrics metrics, int number)
        : base(host, binder, metrics, number)
    {
        _clients = new RingBuffers(_ring, group: 0);
        _peers = new RingBuffers(_ring, group: 1);
        var limits = new SegmentLimits();
        (_sending, _sent) = (new RingSendBatch(limits), new RingSendBatch(limits));
    }

    public override bool TryStop(LinuxRelay relay)
    {
        if (_hasEnded) return true;
        _toStop.Add(relay);
        WakeFromElsewhere();
        return false;
    }

    protected override void BeginReceive(WorkerListener listener)
    {
        _listenersToStart.Add(listener);
        WakeFromElsewhere();
    }

    protected override bool TryStop(WorkerListener listener)
    {
        if (_hasEnded) return true;
        _listenersToStop.Add(listener);
        WakeFromElsewhere();
        return false;
    }

    protected override void BeginReceive(LinuxRelay relay)
    {
        _toStart.Add(relay);
        WakeFromElsewhere();
    }

    protected override void Run()
    {
        _ring.Enable();
        ReadWakeUps();
        while (!IsStopping)
        {
            _ring.Enter(wait: _toClose.Count == 0);
            using (Host.EnterGate()) RunOnce();
            _clients.EndTurn();
            _peers.EndTurn();
            _sent.Clear();
            (_sending, _sent) = (_sent, _sending);
            _sent.Queue(_ring, Sent, ++_turn);
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
        using (Host.EnterGate())
        {
            _hasEnded = true;
            foreach (var relay in Relays.All)
            {
                if (relay is { IsClosing: true }) relay.Close();
            }
        }

        _ = Libc.Close(_wakeDescriptor);
        _clients.Dispose();
        _peers.Dispose();
        _sending.Dispose();
        _sent.Dispose();
    }

    private void WakeFromElsewhere()
    {
        if (!IsWorkerThread) Wake();
    }

    private void RunOnce()
    {
        var time = Host.Now;
        foreach (var socket in _toClose) Close(socket);
        _toClose.Clear();
        while (_ring.TryRead(out var completion))
        {
            var number = (int)(uint)completion.UserData;
            switch (completion.UserData & ~(ulong)uint.MaxValue)
            {
                case FromClients:
                    ReceiveFromClient(number, completion, time);
                    break;
                case FromPeers:
                    ReceiveFromPeer(Relays[number]!, completion, time);
                    break;
                case Sent:
                    SendAgain((uint)number, completion.Result);
                    break;
                case Woken:
                    ReadWakeUps();
                    break;
            }
        }

        foreach (var listener in _listenersToStart) _clients.Receive(_ring, listener.Descriptor, FromClients | (uint)listener.Number);
        _listenersToStart.Clear();
        foreach (var listener in _listenersToStop) Cancel(FromClients | (uint)listener.Number);
        _listenersToStop.Clear();
        foreach (var relay in _toStart) _peers.Receive(_ring, relay.Descriptor, FromPeers | (uint)relay.Slot);
        _toStart.Clear();
        foreach (var relay in _toStop) Cancel(FromPeers | (uint)relay.Slot);
        _toStop.Clear();
    }

    private void ReceiveFromClient(int number, in RingCompletion completion, EngineTime time)
    {
        var listener = Listeners[number]!;
        if (completion.HasBuffer)
        {
            _clients.Hold(completion.Buffer);
            if (completion.Result >= 0 && !listener.IsClosing) RouteToPeer(listener, completion.Buffer, time);
        }

        if (completion.HasMore) return;
        if (listener.IsClosing) _toClose.Add(listener);
        else _clients.Receive(_ring, listener.Descriptor, completion.UserData);
    }

    private void RouteToPeer(WorkerListener listener, int buffer, EngineTime time)
    {
        var start = _clients.Payload(buffer);
        var datagram = new ReadOnlySpan<byte>(start, _clients.Length(buffer));
        var flow = new FiveTuple(ClientTransport.Udp, _clients.Sender(buffer), listener.Local);
        if (!Host.TryRoute(datagram, flow, listener, time, out var outcome)) return;
        var relay = (LinuxRelay)outcome.Relay!;
        _sending.Add(relay, outcome.Peer, start + outcome.Offset, outcome.Length);
    }

    private void ReceiveFromPeer(LinuxRelay relay, in RingCompletion completion, EngineTime time)
    {
        if (completion.HasBuffer)
        {
            _peers.Hold(completion.Buffer);
            if (completion.Result >= 0 && !relay.IsClosing) RouteToClient(relay, completion.Buffer, time);
        }

        if (completion.HasMore) return;
        if (relay.IsClosing)
        {
            // Datagrams of this turn still leave by its socket.
            _toClose.Add(relay);
            return;
        }

        // An error of the socket is an ICMP error about an earlier datagram.
        if (completion.Result < 0) ReceiveErrors(relay);
        _peers.Receive(_ring, relay.Descriptor, completion.UserData);
    }

    private void RouteToClient(LinuxRelay relay, int buffer, EngineTime time)
    {
        var (start, length) = ((nint)_peers.Payload(buffer), _peers.Length(buffer));
        var peer = _peers.Sender(buffer);
        if (RouteToClient((byte*)start, length, relay, peer, time, out var message, out var messageLength) is { } listener)
            _sending.Add(listener, relay.Allocation!.FiveTuple.Client, message, messageLength);
    }

    /// <summary>The kernel did not accept a datagram, or a run of them.</summary>
    private void SendAgain(uint tag, int result)
    {
        if (result >= 0) return;
        CountNotSent(_sent.SendAgain(tag, -result, out var relay));
        if (relay is not null) ReceiveErrors(relay);
    }

    private void Close(IWorkerSocket socket)
    {
        if (socket is LinuxRelay relay)
        {
            Relays.Remove(relay);
            relay.Close();
        }
        else
        {
            Remove((WorkerListener)socket);
        }
    }

    private void Cancel(ulong receive)
    {
        ref var submission = ref _ring.Next();
        submission.Operation = RingSubmission.Cancel;
        submission.Flags = RingSubmission.SkipSuccess;
        submission.Descriptor = -1;
        submission.Address = receive;
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
