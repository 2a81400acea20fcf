namespace WebRtcIms.Wwsf.Settings;

/// <summary>
/// The origins at which browsers have the page: <c>Wwsf:PublicOrigin</c>. Passkeys and the return from an external login belong to
/// them, not to what the headers of a request say. In Development, localhost is one on every port and needs no setting.
/// </summary>
internal sealed class PublicOrigins
{
    public const string Example =
        "an origin such as https://phone.example.com: https (or http on this machine), a host, and nothing after it";

    private const string LocalHost = "localhost";
    private readonly List<Uri> _listed;
    private readonly bool _admitsLocalHost;

    /// <param name="origins">Valid origins, see <see cref="IsValid"/>.</param>
    /// <param name="isDevelopment">Whether localhost is an origin of the page. Then the list may be empty.</param>
    public PublicOrigins(IEnumerable<string> origins, bool isDevelopment)
    {
        _listed = [.. origins.Select(text => Parse(text)!)];
        _admitsLocalHost = isDevelopment;
    }

    public static bool IsValid(string origin) => Parse(origin) is not null;

    /// <summary>Whether a browser names this origin for the page, in clientDataJSON of a passkey for example.</summary>
    public bool Contains(string origin) => Parse(origin) is { } given && Contains(given) && origin == Text(given);

    /// <summary>
    /// The relying party of passkeys (WebAuthn §5.1.2) for a page at this host: the first listed host that the host is equal to or below.
    /// For other hosts it is the first one, and a browser refuses it there.
    /// </summary>
    public string RelyingPartyOf(HostString host)
    {
        var name = AsciiNameOf(host);
        if (_admitsLocalHost && name == LocalHost) return LocalHost;
        return _listed.Select(HostOf).FirstOrDefault(party => name == party || name.EndsWith("." + party, StringComparison.Ordinal))
            ?? (_listed.Count > 0 ? HostOf(_listed[0]) : LocalHost);
    }

    /// <summary>The origin of the page that sent the request; the first of the list if the request names another one.</summary>
    public string Of(HttpRequest request)
    {
        var origin = Parse($"{request.Scheme}://{request.Host.ToUriComponent()}");
        if (origin is not null && Contains(origin)) return Text(origin);
        return _listed.Count > 0 ? Text(_listed[0]) : $"{request.Scheme}://{LocalHost}";
    }

    private bool Contains(Uri origin) =>
        _listed.Exists(listed => Text(listed) == Text(origin)) || (_admitsLocalHost && HostOf(origin) == LocalHost);

    private static Uri? Parse(string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var address)
        && (address.Scheme == Uri.UriSchemeHttps || (address.Scheme == Uri.UriSchemeHttp && address.IsLoopback))
        && address is { UserInfo: "", PathAndQuery: "/", Fragment: "", Host: not "" }
            ? address
            : null;

    // As browsers write an origin: the host name as A-labels (RFC 5890), and no default port.
    private static string Text(Uri origin) => origin.IsDefaultPort
        ? $"{origin.Scheme}://{HostOf(origin)}"
        : string.Create(CultureInfo.InvariantCulture, $"{origin.Scheme}://{HostOf(origin)}:{origin.Port}");

    private static string HostOf(Uri origin) => origin.HostNameType == UriHostNameType.Dns ? origin.IdnHost : origin.Host;

    // ASP.NET Core has decoded the A-labels of the Host header.
    private static string AsciiNameOf(HostString host) => new HostString(host.ToUriComponent()).Host.ToLowerInvariant();
}
