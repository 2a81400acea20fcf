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
internal abstract unsafe class LinuxRelay : Relay
{
    private readonly Action<ushort> _onClosed;

    /// <exception cref="SocketException">The port is taken.</exception>
    protected LinuxRelay(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed)
        : base(TransportAddress.From(bind), new TransportAddress(advertise, (ushort)bind.Port))
    {
        Descriptor = RelayDescriptor.Open(Bound);
        _onClosed = onClosed;
    }

    public int Descriptor { get; }

    public Allocation? Allocation { get; protected set; }

    public sealed override void Send(in TransportAddress peer, ReadOnlySpan<byte> payload)
    {
        if (TrySend(peer, payload)) return;

        // An ICMP error about an earlier datagram makes one call fail. It does not concern this datagram.
        TrySend(peer, payload);
        OnRefused();
    }

    // The kernel has DF as an option of the socket, not of a single datagram.
    public sealed override void SendUnfragmented(in TransportAddress peer, ReadOnlySpan<byte> payload)
    {
        RelayDescriptor.ForbidFragments(Descriptor, true);
        Send(peer, payload);
        RelayDescriptor.ForbidFragments(Descriptor, false);
    }

    /// <summary>The kernel did not take a datagram, so the error queue may have something to say.</summary>
    protected abstract void OnRefused();

    protected void CloseDescriptor()
    {
        _ = Libc.Close(Descriptor);
        _onClosed(Bound.Port);
    }

    private bool TrySend(in TransportAddress peer, ReadOnlySpan<byte> payload)
    {
        var name = stackalloc byte[NativeAddress.Room];
        var nameLength = NativeAddress.Write(peer, name);
        fixed (byte* start = payload)
            return Libc.SendTo(Descriptor, start, (nuint)payload.Length, Libc.DontWait | Libc.NoSignal, name, nameLength) >= 0;
    }
}
