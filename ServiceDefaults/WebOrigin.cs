using System.Globalization;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// The origin of a page (RFC 6454 §4) in the one form in which all parts compare it: scheme, host and port, which may be the default one.
/// The host is in lower case, with A-labels (RFC 5890), with brackets if it is an IPv6 address, and without the dot of the DNS root.
/// </summary>
public sealed record WebOrigin(string Scheme, string Host, int Port)
{
    /// <summary>Reads an origin.</summary>
    /// <returns>Null if the text is not an origin.</returns>
    public static WebOrigin? Parse(string? text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri is not { UserInfo: "", PathAndQuery: "/", Fragment: "" }) return null;
        var host = (uri.HostNameType == UriHostNameType.IPv6 ? uri.Host : uri.IdnHost).TrimEnd('.');
        return host.Length > 0 && uri.Scheme is "http" or "https" ? new(uri.Scheme, host, uri.Port) : null;
    }

    /// <summary>
    /// The origin that a request is for, after its forwarded headers. The header itself is read: <see cref="HttpRequest.Host"/> has
    /// decoded its A-labels. Some proxies call the scheme of a WebSocket wss.
    /// </summary>
    public static WebOrigin? Of(HttpRequest request)
    {
        var scheme = request.Scheme.ToLowerInvariant() switch { "ws" => Uri.UriSchemeHttp, "wss" => Uri.UriSchemeHttps, var other => other };
        return Parse($"{scheme}://{request.Headers.Host}");
    }

    /// <summary>The origin as browsers write it: without a default port.</summary>
    public override string ToString() => Port == (Scheme == Uri.UriSchemeHttps ? 443 : 80)
        ? $"{Scheme}://{Host}"
        : string.Create(CultureInfo.InvariantCulture, $"{Scheme}://{Host}:{Port}");
}
