using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn.Transport.Linux;

/// <summary>A thread with sockets, allocations and buffers of its own, which shares nothing with the other workers.</summary>
internal abstract class LinuxWorker : IRelayTransport, IDisposable
{
    private readonly Thread _thread;
    private volatile bool _isStopping;

    protected LinuxWorker(TurnServer server, int number)
    {
        server.Transport = this;
        _thread = new Thread(Run) { IsBackground = true, Name = $"turn worker {number}" };
    }

    protected bool IsStopping => _isStopping;

    protected bool IsWorkerThread => Thread.CurrentThread == _thread;

    public void Start() => _thread.Start();

    public abstract Relay Open(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed);

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

    protected abstract WorkerListener ListenerAt(TransportAddress address);

    /// <summary>Relays until <see cref="IsStopping"/>.</summary>
    protected abstract void Run();

    /// <summary>Lets the thread look whether it is to stop.</summary>
    protected abstract void Wake();

    /// <summary>The thread has ended.</summary>
    protected abstract void Release();
}
