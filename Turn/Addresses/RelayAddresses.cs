using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Addresses;

/// <summary>
/// Chooses where a relay is bound: at Turn:RelayAddress, or at the address of this server that the client used, because the client's peers
/// are likely to reach that one. A loopback address is chosen only if the settings name it or nothing else is there.
/// </summary>
internal sealed class RelayAddresses(TurnSettings settings, ListeningAddresses listening, PublicAddresses publicAddresses)
{
    private readonly IReadOnlyList<IPAddress> _named = TurnSettings.Addresses(settings.RelayAddress);

    // Thousands of relays share a few of them.
    private readonly ConcurrentDictionary<RelayAddress, RelayAddress> _shared = [];

    /// <summary>The addresses of relays, bound and advertised.</summary>
    public IEnumerable<InternetAddress> All =>
        (_named.Count > 0 ? _named : listening.Live.Select(address => address.Address))
            .SelectMany(address => new[] { address, publicAddresses.Of(address) })
            .Select(InternetAddress.From).Distinct();

    /// <summary>Where a relay of a family is bound, and its advertised address; null if there is no address of this family.</summary>
    /// <param name="family">The family of the relay.</param>
    /// <param name="server">The address that the client used.</param>
    public RelayAddress? For(AddressFamily family, IPAddress server)
    {
        if (Choose(family, server) is not { } bound) return null;
        var address = new RelayAddress(InternetAddress.From(bound), InternetAddress.From(publicAddresses.Of(bound)));
        return _shared.GetOrAdd(address, address);
    }

    public bool Has(AddressFamily family) => Choose(family, IPAddress.None) is not null;

    private IPAddress? Choose(AddressFamily family, IPAddress server)
    {
        if (_named.Count > 0)
        {
            var named = _named.Where(address => address.AddressFamily == family).ToList();
            return named.Contains(server) ? server : named.FirstOrDefault();
        }

        var live = listening.Live;
        var usable = live.Where(it => it.Address.AddressFamily == family && !it.Address.IsIPv6LinkLocal).ToList();
        var used = usable.Find(it => it.Address.Equals(server));
        if (used is not null && (used.IsNamed || !IPAddress.IsLoopback(server))) return server;
        var network = live.FirstOrDefault(it => it.Address.Equals(server))?.Interface;
        return usable.OrderBy(it => IPAddress.IsLoopback(it.Address))
            .ThenByDescending(it => network is not null && it.Interface == network)
            .ThenBy(it => it.Address.IsIPv6UniqueLocal)
            .FirstOrDefault()?.Address;
    }
}
