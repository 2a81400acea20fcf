using System.Net.NetworkInformation;

namespace WebRtcIms.AppHost;

/// <summary>Where phones and other machines in the room reach this one: the parameter <c>public-address</c>.</summary>
/// <param name="Host">As it was given: an address, or a name for one. The page is opened there, and its certificate is for it.</param>
/// <param name="Ip">The address, on which all that is public listens.</param>
internal sealed record PublicAddress(string Host, string Ip)
{
    public const string Loopback = "127.0.0.1";

    /// <summary>The names of this machine, under which browsers and the other parts reach a service in a run.</summary>
    public const string HostsOfARun = $"localhost;{Loopback}";

    public const string Parameter = "public-address";

    /// <summary>Null when there is none: everything stays on loopback then.</summary>
    /// <exception cref="DistributedApplicationException">It is not an address of this machine.</exception>
    public static PublicAddress? Read(IConfiguration configuration)
    {
        if (configuration[$"Parameters:{Parameter}"]?.Trim() is not { Length: > 0 } text) return null;
        if (AddressesOf(text).FirstOrDefault(IsOfThisMachine) is { } ip)
            return new(IPAddress.TryParse(text, out _) ? $"{ip}" : text, $"{ip}");
        throw new DistributedApplicationException(
            $"public-address must be an IPv4 address of this machine ({string.Join(", ", OwnAddresses())}) or a name for one; it is " +
            $"'{text}'.");
    }

    private static IEnumerable<IPAddress> AddressesOf(string text)
    {
        if (IPAddress.TryParse(text, out var address)) return [address];
        if (Uri.CheckHostName(text) != UriHostNameType.Dns) return [];
        try
        {
            // A machine's own name often resolves to loopback, which other machines cannot reach.
            return Dns.GetHostAddresses(text).Where(found => !IPAddress.IsLoopback(found));
        }
        catch (SocketException)
        {
            return [];
        }
    }

    private static bool IsOfThisMachine(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetwork && (IPAddress.IsLoopback(address) || OwnAddresses().Contains(address));

    private static IEnumerable<IPAddress> OwnAddresses() => NetworkInterface.GetAllNetworkInterfaces()
        .Where(network => network.OperationalStatus == OperationalStatus.Up)
        .SelectMany(network => network.GetIPProperties().UnicastAddresses)
        .Select(unicast => unicast.Address)
        .Where(address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));
}
