using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
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
    private readonly Family? _ipv4;
    private readonly Family? _ipv6;

    public RelayBinder(TurnSettings settings, LiveRelays live, RelaySockets sockets, Random random)
    {
        (_live, _sockets) = (live, sockets);
        _ipv4 = FamilyOf(settings, AddressFamily.InterNetwork, random);
        _ipv6 = FamilyOf(settings, AddressFamily.InterNetworkV6, random);
    }

    public bool HasIPv4 => _ipv4 is not null;

    public bool HasIPv6 => _ipv6 is not null;

    /// <summary>Binds what is asked for; 508 when a port cannot be had, and then nothing stays bound.</summary>
    public AllocationDecision Bind(RelayRequest request, RelayOpener open)
    {
        Relay? ipv4 = null, ipv6 = null, reserved = null;
        var isBound = false;
        try
        {
            isBound = (!request.IPv4 || TryBind(_ipv4, request, open, out ipv4, out reserved))
                && (!request.IPv6 || TryBind(_ipv6, request, open, out ipv6, out reserved));
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

    private bool TryBind(Family? family, RelayRequest request, RelayOpener open, out Relay? relay, out Relay? next)
    {
        relay = next = null;
        if (family is null) return false;
        var taken = new List<ushort>();
        try
        {
            for (var attempt = 0; attempt < MaxAttempts; attempt++)
            {
                if (!TryTake(family, request, out var port)) return false;
                relay = TryOpen(family, port, request.IsTcp, open);
                if (request.ReserveNext && relay is not null) next = TryOpen(family, (ushort)(port + 1), request.IsTcp, open);
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

    private Relay? TryOpen(Family family, ushort port, bool isTcp, RelayOpener open)
    {
        if (!_sockets.TryTake()) return null;
        try
        {
            var relay = open(new IPEndPoint(family.Bind, port), family.Advertise, isTcp ? family.CloseTcp : family.CloseUdp);
            _live.Add(family.Advertise.Family, isTcp, port);
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

    private Family? FamilyOf(TurnSettings settings, AddressFamily family, Random random)
    {
        if (settings.RelayBindAddress(family) is not { } bind) return null;
        var advertise = settings.AdvertisedAddress(family) ?? bind;
        var ports = new RelayPortRange(settings.RelayPorts.Min, settings.RelayPorts.Max, random);
        var advertised = InternetAddress.From(advertise);
        return new Family(bind, advertised, ports, GiveBack, port => Close(port, isTcp: false), port => Close(port, isTcp: true));

        void GiveBack(ushort port)
        {
            lock (_gate) ports.Return(port);
        }

        void Close(ushort port, bool isTcp)
        {
            _live.Remove(advertised.Family, isTcp, port);
            _sockets.Return();
            GiveBack(port);
        }
    }

    /// <param name="Bind">The address of the relays' sockets.</param>
    /// <param name="Advertise">The address that clients and peers get.</param>
    /// <param name="Ports">Those that are free.</param>
    /// <param name="GiveBack">Makes a port free again.</param>
    /// <param name="CloseUdp">A relay has closed; one for all relays.</param>
    /// <param name="CloseTcp">A TCP relay has closed; one for all relays.</param>
    private sealed record Family(
        IPAddress Bind, InternetAddress Advertise, RelayPortRange Ports, Action<ushort> GiveBack, Action<ushort> CloseUdp,
        Action<ushort> CloseTcp);
}
