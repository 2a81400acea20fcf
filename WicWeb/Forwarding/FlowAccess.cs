using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.WicWeb.Settings;

namespace WebRtcIms.WicWeb.Forwarding;

/// <summary>
/// Decides for each request to FlowView whether its caller may read it. <see cref="FlowSignIn"/> has the log-in at a provider. As with Aspire's dashboard, the token is in the link that people
/// open (<c>/flow/?t=…</c>). The answer replaces it with a cookie, which scripts cannot read and other sites cannot send.
/// </summary>
internal sealed class FlowAccess(WicWebSettings settings, TimeProvider time)
{
    private const string Parameter = "t";
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(12);

    private readonly byte[] _token = Encoding.UTF8.GetBytes(settings.FlowToken.Reveal() ?? "");

    public Task CheckAsync(HttpContext context, RequestDelegate next)
    {
        if (context.GetReverseProxyFeature().Route.Config.ClusterId != FlowViewRoutes.ClusterId) return next(context);
        if (settings.Flow == FlowReaders.Local)
            return IsLocal(context) ? next(context) : Results.NotFound().ExecuteAsync(context);
        if (settings.Flow == FlowReaders.OpenIdConnect) return FlowSignIn.CheckAsync(context, next);
        if (HasCookie(context.Request)) return next(context);
        if (IsToken(context.Request.Query[Parameter])) return AdmitAsync(context);
        return Results.Problem("Open FlowView with the link that has the token, /flow/?t=….",
            statusCode: StatusCodes.Status401Unauthorized).ExecuteAsync(context);
    }

    // A proxy on this machine, such as a tunnel, also connects from loopback.
    private static bool IsLocal(HttpContext context) =>
        LocalCaller.Is(context) && LocalCaller.NamesThisMachine(context)
            && !context.Request.Headers.ContainsKey("X-Forwarded-For") && !context.Request.Headers.ContainsKey("Forwarded");

    private bool IsToken(string? text) => text is not null
        && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(text)), SHA256.HashData(_token));

    // With the prefix, a page of a sibling domain cannot plant a cookie over http.
    private static string CookieName(HttpRequest request) => request.IsHttps ? "__Secure-flow-view" : "flow-view";

    private bool HasCookie(HttpRequest request) =>
        request.Cookies[CookieName(request)]?.Split('.') is [var expires, _] parts
            && long.TryParse(expires, NumberStyles.None, CultureInfo.InvariantCulture, out var end)
            && end > time.GetUtcNow().ToUnixTimeSeconds()
            && CryptographicOperations.FixedTimeEquals(
                Encoding.ASCII.GetBytes(CookieUntil(end)), Encoding.UTF8.GetBytes(string.Join('.', parts)));

    /// <summary>
    /// Browsers do not send a strict cookie after a redirect that began at another site. A page that moves on by itself is of this site.
    /// </summary>
    private Task AdmitAsync(HttpContext context)
    {
        context.Response.Cookies.Append(CookieName(context.Request), CookieUntil((time.GetUtcNow() + Lifetime).ToUnixTimeSeconds()), new CookieOptions
        {
            Path = "/flow",
            HttpOnly = true,
            SameSite = SameSiteMode.Strict,
            Secure = context.Request.IsHttps,
            MaxAge = Lifetime,
        });
        return Results.Content("""<!doctype html><title>FlowView</title><meta http-equiv="refresh" content="0; url=/flow/">""",
            "text/html; charset=utf-8").ExecuteAsync(context);
    }

    private string CookieUntil(long end)
    {
        var expires = end.ToString(CultureInfo.InvariantCulture);
        return $"{expires}.{Base64Url.EncodeToString(HMACSHA256.HashData(_token, Encoding.ASCII.GetBytes($"flow-view {expires}")))}";
    }
}
