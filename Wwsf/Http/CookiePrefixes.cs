using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace WebRtcIms.Wwsf.Http;

/// <summary>
/// Over https every cookie of this service has a name with a prefix (RFC 6265bis §4.1.3). A browser then accepts it only from this host
/// over https, so a page of a sibling domain cannot plant a session of its own. The prefix is <c>__Host-</c>, or <c>__Secure-</c> for
/// the cookie of a frame, which has a path of its own. The rest of the service uses the plain names. Without the prefix of its scheme
/// a cookie does not exist for it.
/// </summary>
internal static class CookiePrefixes
{
    /// <summary>The start of the names of cookies that have a path of their own.</summary>
    public const string OfFrame = "wwsf-session-frame";

    private const string Host = "__Host-";
    private const string Secure = "__Secure-";

    /// <summary>Needs the forwarded headers: a known proxy may have ended the https connection.</summary>
    public static void UseCookiePrefixes(this WebApplication app) => app.Use((context, next) =>
    {
        var isHttps = context.Request.IsHttps;
        var cookies = new PlainCookies(Read(context.Request.Headers.Cookie, isHttps));
        context.Features.Set<IRequestCookiesFeature>(new RequestCookiesFeature(cookies));
        if (isHttps) context.Features.Set<IResponseCookiesFeature>(new PrefixedCookies(context.Response.Cookies));
        return next(context);
    });

    // ASP.NET Core's collection ignores the case of names and keeps the last of several values. A planted cookie could replace one.
    private static Dictionary<string, string> Read(StringValues headers, bool isHttps)
    {
        var cookies = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var part in headers.SelectMany(header => (header ?? "").Split(';', StringSplitOptions.TrimEntries)))
        {
            var end = part.IndexOf('=', StringComparison.Ordinal);
            // A browser sends the cookie with the longest path first (RFC 6265 §5.4).
            if (end > 0 && PlainName(part[..end], isHttps) is { } name) cookies.TryAdd(name, Uri.UnescapeDataString(part[(end + 1)..]));
        }

        return cookies;
    }

    private static string? PlainName(string name, bool isHttps)
    {
        if (!isHttps) return name;
        foreach (var prefix in (string[])[Host, Secure])
        {
            if (!name.StartsWith(prefix, StringComparison.Ordinal)) continue;
            var plain = name[prefix.Length..];
            return PrefixOf(plain) == prefix ? plain : null;
        }

        return null;
    }

    private static string PrefixOf(string name) => name.StartsWith(OfFrame, StringComparison.Ordinal) ? Secure : Host;

    /// <summary>The cookies of a request with the names that the service uses.</summary>
    private sealed class PlainCookies(Dictionary<string, string> cookies) : IRequestCookieCollection
    {
        public int Count => cookies.Count;

        public ICollection<string> Keys => cookies.Keys;

        public string? this[string key] => cookies.GetValueOrDefault(key);

        public bool ContainsKey(string key) => cookies.ContainsKey(key);

        public bool TryGetValue(string key, [NotNullWhen(true)] out string? value) => cookies.TryGetValue(key, out value);

        public IEnumerator<KeyValuePair<string, string>> GetEnumerator() => cookies.GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    /// <summary>Writes the cookies of the service with their prefix and the attributes that it requires.</summary>
    private sealed class PrefixedCookies(IResponseCookies cookies) : IResponseCookies, IResponseCookiesFeature
    {
        public IResponseCookies Cookies => this;

        public void Append(string key, string value) => Append(key, value, new CookieOptions());

        public void Append(string key, string value, CookieOptions options) =>
            cookies.Append(PrefixOf(key) + key, value, Complete(key, options));

        public void Delete(string key) => Delete(key, new CookieOptions());

        public void Delete(string key, CookieOptions options) => cookies.Delete(PrefixOf(key) + key, Complete(key, options));

        private static CookieOptions Complete(string key, CookieOptions options) => new(options)
        {
            Secure = true,
            Domain = null,
            Path = PrefixOf(key) == Host ? "/" : options.Path,
        };
    }
}
