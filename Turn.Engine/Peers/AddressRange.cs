using System.Net;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Engine.Peers;

/// <summary>A prefix of IPv4 or IPv6 addresses.</summary>
public readonly record struct AddressRange(InternetAddress Prefix, int PrefixLength)
{
    /// <summary>
    /// Reads a prefix such as <c>10.0.0.0/8</c>, or throws <see cref="FormatException"/>. Bits after the prefix are cleared.
    /// </summary>
    public static AddressRange Parse(string text)
    {
        var network = IPNetwork.Parse(text);
        return new AddressRange(InternetAddress.From(network.BaseAddress), network.PrefixLength);
    }

    /// <summary>Reads a prefix as <see cref="Parse"/> does; false instead of an exception.</summary>
    public static bool TryParse(string text, out AddressRange range)
    {
        range = default;
        if (!IPNetwork.TryParse(text, out var network)) return false;
        range = new AddressRange(InternetAddress.From(network.BaseAddress), network.PrefixLength);
        return true;
    }

    /// <summary>One address alone.</summary>
    public static AddressRange Of(InternetAddress address) =>
        new(address, address.Family == StunAddressFamily.IPv4 ? 32 : 128);

    private int Width => Prefix.Family == StunAddressFamily.IPv4 ? 32 : 128;

    /// <summary>Whether an address has this prefix. An address of the other family never has.</summary>
    public bool Contains(InternetAddress address)
    {
        if (address.Family != Prefix.Family) return false;
        return PrefixLength == 0 || (address.Bits ^ Prefix.Bits) >> (Width - PrefixLength) == 0;
    }
}
