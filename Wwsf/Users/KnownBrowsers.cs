using System.Buffers.Text;
using Microsoft.AspNetCore.DataProtection;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Users;

/// <summary>
/// A cookie for a browser in which a user has logged in. It does not log in: <see cref="FailedLogins"/> only counts wrong passwords of this
/// browser apart from those of strangers. Each log-in replaces it, so that it also begins a new counter.
/// </summary>
internal sealed class KnownBrowsers(IDataProtectionProvider protection)
{
    private const string Cookie = "wwsf-browser";
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(90);

    private readonly ITimeLimitedDataProtector _protector =
        protection.CreateProtector("WebRtcIms.Wwsf.KnownBrowsers").ToTimeLimitedDataProtector();

    public void Remember(HttpContext context, User user)
    {
        var id = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));
        context.Response.Cookies.Append(Cookie, _protector.Protect($"{id} {user.NormalizedUserName}", Lifetime), new CookieOptions
        {
            Path = "/",
            HttpOnly = true,
            SameSite = SameSiteMode.Strict,
            Secure = context.Request.IsHttps,
            MaxAge = Lifetime,
        });
    }

    /// <summary>The id of the browser, if this name was the last to log in there; else null.</summary>
    public string? Find(HttpContext context, string normalizedName)
    {
        if (context.Request.Cookies[Cookie] is not { } cookie) return null;
        try
        {
            var parts = _protector.Unprotect(cookie).Split(' ', 2);
            return parts is [var id, var name] && name == normalizedName ? id : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}
