using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.ServiceDefaults;

/// <summary>The key of limits by client address.</summary>
public static class CallerAddress
{
    /// <summary>The caller's IPv4 address, or the /64 of its IPv6 address, because a host may choose any address in it.</summary>
    public static string Of(HttpContext context) => Of(context.Connection.RemoteIpAddress);

    /// <inheritdoc cref="Of(HttpContext)"/>
    public static string Of(IPAddress? address)
    {
        if (address is null) return "unknown";
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        return address.AddressFamily == AddressFamily.InterNetworkV6
            ? Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8))
            : address.ToString();
    }
}
