using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Transport.Relays;

/// <summary>
/// The ports of one family and one transport. UDP and TCP have ports of their own. All addresses of a family share one range, because
/// behind a NAT they may share the public address.
/// </summary>
internal sealed class RelayPortPool
{
    private readonly Lock _gate = new();
    private readonly RelayPortRange _ports;

    public RelayPortPool(
        AddressFamily family, bool isTcp, RelayPortSettings range, LiveRelays live, RelaySockets sockets, Random random)
    {
        _ports = new RelayPortRange(range.Min, range.Max, random);
        (Family, IsTcp) = (family, isTcp);
        var stunFamily = family == AddressFamily.InterNetworkV6 ? StunAddressFamily.IPv6 : StunAddressFamily.IPv4;
        Close = port =>
        {
            live.Remove(stunFamily, isTcp, port);
            sockets.Return();
            Return(port);
        };
    }

    public AddressFamily Family { get; }

    public bool IsTcp { get; }

    /// <summary>A relay has closed; one delegate for all relays.</summary>
    public Action<ushort> Close { get; }

    /// <summary>Takes a port, or the two that a request needs.</summary>
    public bool TryTake(RelayRequest request, out ushort port)
    {
        lock (_gate) return request.EvenPort ? _ports.TryTakeEven(request.ReserveNext, out port) : _ports.TryTake(out port);
    }

    public void Return(ushort port)
    {
        lock (_gate) _ports.Return(port);
    }
}
