using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Transport.Linux.Workers;

namespace WebRtcIms.Turn.Transport.Linux.Epoll;

/// <summary>A relay whose socket a worker waits for together with all its others.</summary>
internal sealed class EpollRelay(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed)
    : LinuxRelay(bind, advertise, onClosed)
{
    private EpollWorker? _worker;
    private int _slot;
    private bool _closed;

    /// <summary>First and last slot of the datagrams of this batch that leave by this relay; -1 where there is none.</summary>
    public int FirstInBatch { get; set; } = -1;

    /// <inheritdoc cref="FirstInBatch"/>
    public int LastInBatch { get; set; } = -1;

    /// <summary>The worker waits for this relay from now on.</summary>
    public void Start(Allocation allocation, EpollWorker worker)
    {
        Allocation = allocation;
        _worker = worker;
        _slot = worker.Watch(this);
    }

    public override void Dispose()
    {
        if (_closed) return;
        _closed = true;
        _worker?.Forget(this, _slot);
        CloseDescriptor();
    }

    // epoll reports errors by itself.
    protected override void OnRefused()
    {
    }
}
