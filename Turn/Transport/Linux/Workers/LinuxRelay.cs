using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Transport.Linux.Native;

namespace WebRtcIms.Turn.Transport.Linux.Workers;

/// <summary>
/// A relay on a bare descriptor. There are as many as allocations, and a .NET socket object for each would take a quarter of an
/// allocation's memory. All members are called with the server's gate held, so a descriptor is never used after another socket has got
/// its number.
/// </summary>
internal sealed unsafe class LinuxRelay : Relay, IWorkerSocket
{
    private readonly Action<ushort> _onClosed;
    private LinuxWorker? _worker;

    /// <exception cref="SocketException">The port is taken.</exception>
    public LinuxRelay(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed)
        : base(TransportAddress.From(bind), new TransportAddress(advertise, (ushort)bind.Port))
    {
        Descriptor = RelayDescriptor.Open(Bound);
        _onClosed = onClosed;
    }

    public int Descriptor { get; }

    public Allocation? Allocation { get; private set; }

    /// <summary>Its place among the worker's relays.</summary>
    public int Slot { get; set; }

    public bool IsClosing { get; private set; }

    /// <summary>
    /// First and last datagram of the epoll worker's batch that leave by this relay; -1 where there is none.
    /// </summary>
    public int FirstInBatch { get; set; } = -1;

    /// <inheritdoc cref="FirstInBatch"/>
    public int LastInBatch { get; set; } = -1;

    /// <summary>The worker receives for this relay from now on.</summary>
    public void Start(Allocation allocation, LinuxWorker worker) => (Allocation, _worker) = (allocation, worker);

    public override void Send(in TransportAddress peer, ReadOnlySpan<byte> payload)
    {
        var name = stackalloc byte[NativeAddress.Room];
        var nameLength = NativeAddress.Write(peer, name);
        fixed (byte* start = payload)
        {
            var isSent = DatagramBatch.TrySend(Descriptor, start, (nuint)payload.Length, name, nameLength, out var hasError);
            if (!isSent) _worker?.CountNotSent(1);
            if (hasError) _worker?.ReceiveErrors(this, peer);
        }
    }

    // The kernel has DF as an option of the socket, not of a single datagram.
    public override void SendUnfragmented(in TransportAddress peer, ReadOnlySpan<byte> payload)
    {
        RelayDescriptor.ForbidFragments(Descriptor, true);
        Send(peer, payload);
        RelayDescriptor.ForbidFragments(Descriptor, false);
    }

    public override void Dispose()
    {
        if (IsClosing) return;
        IsClosing = true;
        if (_worker is null || _worker.TryStop(this)) Close();
    }

    /// <summary>Closes the socket and gives the port back.</summary>
    public void Close()
    {
        _ = Libc.Close(Descriptor);
        _onClosed(Bound.Port);
    }
}
