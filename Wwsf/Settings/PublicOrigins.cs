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
    private readonly List<WebOrigin> _listed;
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
    public bool Contains(string origin) => Parse(origin) is { } given && Contains(given) && origin == given.ToString();

    /// <summary>
    /// The relying party of passkeys (WebAuthn §5.1.2) for a page at this host: the first listed host that the host is equal to or below.
    /// For other hosts it is the first one, and a browser refuses it there.
    /// </summary>
    public string RelyingPartyOf(HttpRequest request)
    {
        var name = WebOrigin.Of(request)?.Host ?? "";
        if (_admitsLocalHost && name == LocalHost) return LocalHost;
        return _listed.Find(party => name == party.Host || name.EndsWith("." + party.Host, StringComparison.Ordinal))?.Host
            ?? (_listed.Count > 0 ? _listed[0].Host : LocalHost);
    }

    /// <summary>The origin of the page that sent the request; the first of the list if the request names another one.</summary>
    public string Of(HttpRequest request)
    {
        if (WebOrigin.Of(request) is { } origin && Contains(origin)) return origin.ToString();
        return _listed.Count > 0 ? _listed[0].ToString() : $"{request.Scheme}://{LocalHost}";
    }

    private bool Contains(WebOrigin origin) => _listed.Contains(origin) || (_admitsLocalHost && origin.Host == LocalHost);

    private static WebOrigin? Parse(string text) =>
        WebOrigin.Parse(text) is { } origin && (origin.Scheme == Uri.UriSchemeHttps || LocalCaller.IsLoopbackName(origin.Host)) ? origin : null;
}
