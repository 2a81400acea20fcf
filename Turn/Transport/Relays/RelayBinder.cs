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

    private readonly LiveRelays _live;
    private readonly RelaySockets _sockets;
    private readonly RelayShortages _shortages;
    private readonly RelayAddresses _addresses;
    private readonly Dictionary<(AddressFamily Family, bool IsTcp), RelayPortPool> _pools = [];

    public RelayBinder(
        TurnSettings settings, RelayAddresses addresses, LiveRelays live, RelaySockets sockets, RelayShortages shortages, Random random)
    {
        (_addresses, _live, _sockets, _shortages) = (addresses, live, sockets, shortages);
        foreach (var family in new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 })
        {
            foreach (var isTcp in new[] { false, true })
                _pools.Add((family, isTcp), new RelayPortPool(family, isTcp, settings.RelayPorts, live, sockets, random));
        }
    }

    /// <summary>Binds what is asked for; 508 when something is used up, and then nothing stays bound.</summary>
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
            RelayShortage? shortage = _shortages.IsMemoryLow() ? RelayShortage.Memory : null;
            if (request.IPv4 && shortage is null) shortage = Bind(AddressFamily.InterNetwork, used, request, open, out ipv4, out reserved);
            if (request.IPv6 && shortage is null) shortage = Bind(AddressFamily.InterNetworkV6, used, request, open, out ipv6, out reserved);
            isBound = shortage is null;
            if (isBound) return new AllocationDecision(StunError.None, ipv4, ipv6, reserved);
            _shortages.Report(shortage!.Value);
            return new AllocationDecision(StunError.InsufficientCapacity);
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

    private RelayShortage? Bind(
        AddressFamily family, IPAddress server, RelayRequest request, RelayOpener open, out Relay? relay, out Relay? next)
    {
        relay = next = null;
        if (_addresses.For(family, server) is not { } address) return RelayShortage.Address;
        var pool = _pools[(family, request.IsTcp)];

        // Ports that another program has are kept aside until a free one is found, or all attempts are used.
        var taken = new List<ushort>();
        try
        {
            for (var attempt = 0; attempt < MaxAttempts; attempt++)
            {
                if (!pool.TryTake(request, out var port)) return RelayShortage.Ports;
                taken.Add(port);
                if (request.ReserveNext) taken.Add((ushort)(port + 1));
                var shortage = Open(pool, address, port, open, taken, out relay);
                if (shortage is null && request.ReserveNext) shortage = Open(pool, address, (ushort)(port + 1), open, taken, out next);
                if (shortage is null) return null;
                relay?.Dispose();
                relay = null;
                if (shortage != RelayShortage.Ports) return shortage;
            }

            return RelayShortage.Ports;
        }
        finally
        {
            foreach (var port in taken) pool.Return(port);
        }
    }

    /// <summary>Opens a socket at a port. The port then belongs to the relay.</summary>
    private RelayShortage? Open(
        RelayPortPool pool, RelayAddress address, ushort port, RelayOpener open, List<ushort> taken, out Relay? relay)
    {
        relay = null;
        if (!_sockets.TryTake()) return RelayShortage.Descriptors;
        try
        {
            relay = open(new IPEndPoint(address.Bound.ToIPAddress(), port), address.Advertised, pool.Close);
            _live.Add(address, pool.IsTcp, port);
            taken.Remove(port);
            return null;
        }
        catch (SocketException error)
        {
            return RelayShortages.Of(error);
        }
        finally
        {
            if (relay is null) _sockets.Return();
        }
    }
}
