using System.Net;

namespace WebRtcIms.Turn.Settings;

/// <summary>An entry of Turn:PublicAddress.</summary>
/// <param name="Host">An address, or a name that is looked up.</param>
/// <param name="Local">The entry is only for relays that are bound to this address.</param>
internal sealed record PublicAddressSetting(string Host, IPAddress? Local)
{
    /// <summary>Reads an entry that has been checked.</summary>
    public static PublicAddressSetting Parse(string text)
    {
        var parts = text.Split('/');
        return new PublicAddressSetting(parts[0], parts.Length > 1 ? IPAddress.Parse(parts[1]) : null);
    }

    /// <summary>What is wrong with an entry; null if nothing is.</summary>
    public static string? ProblemOf(string text)
    {
        var parts = text.Split('/');
        if (parts.Length > 2) return $"'{text}' is not a public address, or one with its local address such as 203.0.113.1/10.0.0.5";
        if (parts.Length == 2 && !IsUsable(parts[1])) return $"'{parts[1]}' is not an address of this machine";
        if (!IPAddress.TryParse(parts[0], out var address))
            return IsName(parts[0]) ? null : $"'{parts[0]}' is neither an IP address nor a host name";
        return IsUsable(parts[0]) && address.AddressFamily == FamilyOf(parts) ? null : $"peers cannot reach '{text}'";
    }

    private static System.Net.Sockets.AddressFamily FamilyOf(string[] parts) => IPAddress.Parse(parts[^1]).AddressFamily;

    private static bool IsUsable(string text) => IPAddress.TryParse(text, out var address) && TurnSettings.IsReachable(address);

    // A name that ends with a number is an address with a mistake in it.
    private static bool IsName(string text) =>
        Uri.CheckHostName(text) == UriHostNameType.Dns && !text.TrimEnd('.').Split('.')[^1].All(char.IsAsciiDigit);
}
