using System.Net;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Addresses;

/// <summary>The addresses of Turn:PublicAddress, under which clients and peers see relays.</summary>
internal sealed class PublicAddresses
{
    private readonly IReadOnlyList<PublicAddressSetting> _entries;
    private readonly HostNames _names;

    public PublicAddresses(TurnSettings settings, HostNames names)
    {
        (_entries, _names) = (settings.PublicAddresses(), names);

        // From now on the names are looked up.
        foreach (var entry in _entries) _names.AddressesOf(entry.Host);
    }

    /// <summary>The public address of a relay; its own address where there is none.</summary>
    public IPAddress Of(IPAddress bound) =>
        _entries.OrderBy(entry => entry.Local is null)
            .Where(entry => entry.Local is null || entry.Local.Equals(bound))
            .SelectMany(entry => _names.AddressesOf(entry.Host))
            .FirstOrDefault(address => address.AddressFamily == bound.AddressFamily) ?? bound;

    /// <summary>All addresses that are known now.</summary>
    public IEnumerable<IPAddress> All => _entries.SelectMany(entry => _names.AddressesOf(entry.Host));

    /// <summary>Names that have no address yet.</summary>
    public IEnumerable<string> Unknown => _entries.Select(entry => entry.Host).Where(host => _names.AddressesOf(host).Count == 0);
}
