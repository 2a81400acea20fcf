using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn.Transport.Linux;

/// <summary>A relay whose socket a worker waits for together with all its others.</summary>
internal sealed class EpollRelay : Relay
{
    private readonly DatagramSocket _socket;
    private readonly Action _onClosed;
    private EpollWorker? _worker;
    private int _slot;
    private bool _closed;

    /// <exception cref="SocketException">The port is taken.</exception>
    public EpollRelay(IPEndPoint bind, InternetAddress advertise, Action onClosed)
        : base(TransportAddress.From(bind), new TransportAddress(advertise, (ushort)bind.Port))
    {
        _socket = new DatagramSocket(bind);
        ErrorQueue.Enable(_socket, bind.AddressFamily == AddressFamily.InterNetworkV6);
        _onClosed = onClosed;
    }

    /// <summary>Valid only while the server's gate is held: a closed descriptor's number may at once be another socket's.</summary>
    public int Descriptor => _socket.Descriptor;

    public Allocation? Allocation { get; private set; }

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

    // What ICMP said about an earlier datagram makes one call fail, and is not this datagram's fault.
    public override void Send(in TransportAddress peer, ReadOnlySpan<byte> payload) =>
        _ = _socket.Send(peer, payload) || _socket.Send(peer, payload);

    public override void SendUnfragmented(in TransportAddress peer, ReadOnlySpan<byte> payload) =>
        _ = _socket.SendUnfragmented(peer, payload) || _socket.SendUnfragmented(peer, payload);

    public override void Dispose()
    {
        if (_closed) return;
        _closed = true;
        _worker?.Forget(_slot);
        _socket.Dispose();
        _onClosed();
    }
}
