using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace WebRtcIms.Turn;

/// <summary>Where health is asked for: HTTP, apart from the TURN ports.</summary>
internal static class ManagementEndpoint
{
    /// <summary>ASPNETCORE_URLS, or port 8083 of this machine alone.</summary>
    public static string[] Urls(IConfiguration configuration) =>
        (configuration["urls"] ?? "http://localhost:8083").Split(';', StringSplitOptions.RemoveEmptyEntries);

    public static void Listen(KestrelServerOptions kestrel, string url)
    {
        var address = BindingAddress.Parse(url);
        if (string.Equals(address.Host, "localhost", StringComparison.OrdinalIgnoreCase)) kestrel.ListenLocalhost(address.Port);
        else if (IPAddress.TryParse(address.Host, out var ip)) kestrel.Listen(ip, address.Port);
        else kestrel.ListenAnyIP(address.Port);
    }
}
