using System.Net;

namespace WebRtcIms.ServiceDefaults;

/// <summary>Tells operators on this machine from other callers, for ports that operators use.</summary>
public static class LocalCaller
{
    /// <summary>Whether the request came to this machine from itself.</summary>
    public static bool Is(HttpContext context) =>
        context.Connection is { LocalIpAddress: { } local, RemoteIpAddress: { } remote } && IPAddress.IsLoopback(local)
            && IPAddress.IsLoopback(remote);

    /// <summary>Whether the Host names this machine. A rebound DNS name, with which a page reaches a local port, does not.</summary>
    public static bool NamesThisMachine(HttpContext context) => IsLoopbackName(context.Request.Host.Host);

    /// <summary>
    /// Whether a page in a browser sent the request: another origin shows in Origin or Sec-Fetch-Site. Bodies must be JSON, which a page
    /// cannot send elsewhere without a preflight.
    /// </summary>
    public static bool IsPage(HttpContext context) =>
        context.Request.Headers.ContainsKey("Origin") || context.Request.Headers["Sec-Fetch-Site"].Any(site => site != "none");

    /// <summary>Whether a host is <c>localhost</c>, a name below it (RFC 6761 §6.3), or a loopback address.</summary>
    public static bool IsLoopbackName(string host) =>
        string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase)
            || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}
