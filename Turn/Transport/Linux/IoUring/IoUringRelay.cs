using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Transport.Linux.Workers;

namespace WebRtcIms.Turn.Transport.Linux.IoUring;

/// <summary>
/// A relay whose datagrams a worker has asked its ring for. The kernel keeps the socket while it serves this request, so only the
/// worker closes it, after the kernel has released it.
/// </summary>
internal sealed class IoUringRelay(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed)
    : LinuxRelay(bind, advertise, onClosed)
{
    private IoUringWorker? _worker;

    /// <summary>Its place among the worker's relays.</summary>
    public int Slot { get; set; }

    public bool IsClosing { get; private set; }

    /// <summary>The worker asks for this relay's datagrams from now on.</summary>
    public void Start(Allocation allocation, IoUringWorker worker)
    {
        Allocation = allocation;
        _worker = worker;
        worker.Watch(this);
    }

    public override void Dispose()
    {
        if (IsClosing) return;
        IsClosing = true;
        if (_worker is null || !_worker.TryForget(this)) Close();
    }

    /// <summary>Nothing in the kernel holds the socket any more.</summary>
    public void Close() => CloseDescriptor();

    // A ring does not report errors by itself, as epoll does.
    protected override void OnRefused() => _worker?.ExpectErrors(this);
}
