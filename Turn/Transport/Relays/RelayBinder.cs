using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Addresses;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Transport.Relays;

/// <summary>Binds a relay's socket; <paramref name="onClosed"/> gives the port back.</summary>
/// <exception cref="SocketException">The port is taken.</exception>
internal delegate Relay RelayOpener(IPEndPoint bind, InternetAddress advertise, Action<ushort> onClosed);

/// <summary>Chooses free ports and binds the sockets of an allocation's relayed transport addresses.</summary>
internal sealed class RelayBinder
{
    // Other programs may hold ports of the range. After this many in a row the range counts as full.
    private const int MaxAttempts = 32;

    private readonly Lock _gate = new();
    private readonly LiveRelays _live;
    private readonly RelaySockets _sockets;
    private readonly RelayAddresses _addresses;
    private readonly Family _ipv4;
    private readonly Family _ipv6;

    public RelayBinder(TurnSettings settings, RelayAddresses addresses, LiveRelays live, RelaySockets sockets, Random random)
    {
        (_addresses, _live, _sockets) = (addresses, live, sockets);
        _ipv4 = FamilyOf(settings, AddressFamily.InterNetwork, random);
        _ipv6 = FamilyOf(settings, AddressFamily.InterNetworkV6, random);
    }

    /// <summary>Binds what is asked for; 508 when a port cannot be had, and then nothing stays bound.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="server">The address of this server that the client used.</param>
    /// <param name="open">Binds one socket.</param>
    public AllocationDecision Bind(RelayRequest request, InternetAddress server, RelayOpener open)
    {
        var used = server.ToIPAddress();
        Relay? ipv4 = null, ipv6 = null, reserved = null;
        var isBound = false;
        try
        {
            isBound = (!request.IPv4 || TryBind(_ipv4, used, request, open, out ipv4, out reserved))
                && (!request.IPv6 || TryBind(_ipv6, used, request, open, out ipv6, out reserved));
            return isBound
                ? new AllocationDecision(StunError.None, ipv4, ipv6, reserved) : new AllocationDecision(StunError.InsufficientCapacity);
        }
        finally
        {
            // An exception also leaves nothing bound.
            if (!isBound)
            {
                ipv4?.Dispose();
                ipv6?.Dispose();
                reserved?.Dispose();
            }
        }
    }

    private bool TryBind(
        Family family, IPAddress server, RelayRequest request, RelayOpener open, out Relay? relay, out Relay? next)
    {
        relay = next = null;
        if (_addresses.For(family.Kind, server) is not { } address) return false;
        var taken = new List<ushort>();
        try
        {
            for (var attempt = 0; attempt < MaxAttempts; attempt++)
            {
                if (!TryTake(family, request, out var port)) return false;
                relay = TryOpen(family, address, port, request.IsTcp, open);
                if (request.ReserveNext && relay is not null) next = TryOpen(family, address, (ushort)(port + 1), request.IsTcp, open);
                if (relay is not null && (next is not null || !request.ReserveNext)) return true;

                // Another program has one of the ports. Keep them aside until a pair is found, or all attempts are used.
                if (relay is null) taken.Add(port);
                else relay.Dispose();
                relay = null;
                if (request.ReserveNext) taken.Add((ushort)(port + 1));
            }

            return false;
        }
        finally
        {
            foreach (var port in taken) family.GiveBack(port);
        }
    }

    private bool TryTake(Family family, RelayRequest request, out ushort port)
    {
        lock (_gate)
            return request.EvenPort ? family.Ports.TryTakeEven(request.ReserveNext, out port) : family.Ports.TryTake(out port);
    }

    private Relay? TryOpen(Family family, RelayAddress address, ushort port, bool isTcp, RelayOpener open)
    {
        if (!_sockets.TryTake()) return null;
        try
        {
            var bind = new IPEndPoint(address.Bound.ToIPAddress(), port);
            var relay = open(bind, address.Advertised, isTcp ? family.CloseTcp : family.CloseUdp);
            _live.Add(address, isTcp, port);
            return relay;
        }
        catch (SocketException)
        {
            _sockets.Return();
            return null;
        }
        catch
        {
            _sockets.Return();
            family.GiveBack(port);
            throw;
        }
    }

    // One range for all addresses of a family: behind a NAT they may share the public address.
    private Family FamilyOf(TurnSettings settings, AddressFamily kind, Random random)
    {
        var ports = new RelayPortRange(settings.RelayPorts.Min, settings.RelayPorts.Max, random);
        var family = kind == AddressFamily.InterNetworkV6 ? StunAddressFamily.IPv6 : StunAddressFamily.IPv4;
        return new Family(kind, ports, GiveBack, port => Close(port, isTcp: false), port => Close(port, isTcp: true));

        void GiveBack(ushort port)
        {
            lock (_gate) ports.Return(port);
        }

        void Close(ushort port, bool isTcp)
        {
            _live.Remove(family, isTcp, port);
            _sockets.Return();
            GiveBack(port);
        }
    }

    /// <param name="Kind">IPv4 or IPv6.</param>
    /// <param name="Ports">Those that are free.</param>
    /// <param name="GiveBack">Makes a port free again.</param>
    /// <param name="CloseUdp">A relay has closed; one for all relays.</param>
    /// <param name="CloseTcp">A TCP relay has closed; one for all relays.</param>
    private sealed record Family(
        AddressFamily Kind, RelayPortRange Ports, Action<ushort> GiveBack, Action<ushort> CloseUdp, Action<ushort> CloseTcp);
}
