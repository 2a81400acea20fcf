using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn.Transport.Linux;

/// <summary>
/// A relay whose datagrams a worker has asked its ring for. The kernel keeps the socket as long as it serves that, so the worker
/// alone closes it, once the kernel has let go.
/// </summary>
internal sealed class IoUringRelay : Relay
{
    private readonly DatagramSocket _socket;
    private readonly Action _onClosed;
    private IoUringWorker? _worker;

    /// <exception cref="SocketException">The port is taken.</exception>
    public IoUringRelay(IPEndPoint bind, InternetAddress advertise, Action onClosed)
        : base(TransportAddress.From(bind), new TransportAddress(advertise, (ushort)bind.Port))
    {
        _socket = new DatagramSocket(bind);
        ErrorQueue.Enable(_socket, bind.AddressFamily == AddressFamily.InterNetworkV6);
        _onClosed = onClosed;
    }

    public int Descriptor => _socket.Descriptor;

    public Allocation? Allocation { get; private set; }

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

    // What ICMP said about an earlier datagram makes one call fail, and is not this datagram's fault.
    public override void Send(in TransportAddress peer, ReadOnlySpan<byte> payload)
    {
        if (_socket.Send(peer, payload)) return;
        _socket.Send(peer, payload);
        _worker?.ExpectErrors(this);
    }

    public override void SendUnfragmented(in TransportAddress peer, ReadOnlySpan<byte> payload)
    {
        if (_socket.SendUnfragmented(peer, payload)) return;
        _socket.SendUnfragmented(peer, payload);
        _worker?.ExpectErrors(this);
    }

    public override void Dispose()
    {
        if (IsClosing) return;
        IsClosing = true;
        if (_worker is null || !_worker.TryForget(this)) Close();
    }

    /// <summary>Nothing in the kernel holds the socket any more.</summary>
    public void Close()
    {
        _socket.Dispose();
        _onClosed();
    }
}
