using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Transport.Linux.Workers;

/// <summary>A thread with sockets, allocations and buffers of its own, which shares nothing with the other workers.</summary>
internal abstract class LinuxWorker : IRelayTransport, IDisposable
{
    /// <summary>The longest datagram that is relayed: a jumbo frame. A longer one is dropped.</summary>
    public const int MaxDatagram = 9216;

    private readonly RelayBinder _relays;
    private readonly Thread _thread;
    private volatile bool _isStopping;

    protected LinuxWorker(EngineHost host, RelayBinder relays, int number)
    {
        _relays = relays;
        host.Transport = this;
        _thread = new Thread(Run) { IsBackground = true, Name = $"turn worker {number}" };
    }

    protected bool IsStopping => _isStopping;

    protected bool IsWorkerThread => Thread.CurrentThread == _thread;

    public void Start() => _thread.Start();

    public AllocationDecision Bind(RelayRequest request) => _relays.Bind(request, Open);

    public abstract void Start(Relay relay, Allocation allocation);

    // Every worker listens on the same addresses, so an answer by this one's listener has the same source.
    public ClientPath PathFor(in FiveTuple flow, ClientPath path) => path is WorkerListener ? ListenerAt(flow.Server) : path;

    public void Dispose()
    {
        _isStopping = true;
        Wake();
        if (_thread.IsAlive) _thread.Join();
        Release();
        GC.SuppressFinalize(this);
    }

    protected abstract Relay Open(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed);

    protected abstract WorkerListener ListenerAt(TransportAddress address);

    /// <summary>Relays until <see cref="IsStopping"/>.</summary>
    protected abstract void Run();

    /// <summary>Lets the thread look whether it is to stop.</summary>
    protected abstract void Wake();

    /// <summary>The thread has ended.</summary>
    protected abstract void Release();
}
