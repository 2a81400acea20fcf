using Microsoft.AspNetCore.DataProtection;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Passkeys;

/// <summary>
/// The state between the challenge and the response of the browser. It is in an encrypted cookie, so that any replica can handle
/// the response. Only the browser that got the challenge has it. The response deletes it, and the store remembers that a challenge was
/// used (WebAuthn §13.4.3): a copy of the request does not work again.
/// </summary>
internal sealed class PasskeyState(IDataProtectionProvider protection, SingleUse used)
{
    public const string Adding = "add";
    public const string LoggingIn = "log in";

    private const string Cookie = "wwsf-passkey";
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);

    public void Keep(HttpContext context, string purpose, string state) =>
        context.Response.Cookies.Append(Cookie, Protector(purpose).Protect(state, Lifetime), Options(context));

    public string? Remove(HttpContext context, string purpose)
    {
        if (context.Request.Cookies[Cookie] is not { } state) return null;
        context.Response.Cookies.Delete(Cookie, Options(context));
        try
        {
            return Protector(purpose).Unprotect(state);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <summary>
    /// Whether this is the first valid response to the challenge. Only a verified response asks, so strangers cannot fill the store.
    /// </summary>
    public Task<bool> TryUseAsync(string state) => used.TryUseAsync(state, Lifetime);

    private ITimeLimitedDataProtector Protector(string purpose) =>
        protection.CreateProtector("WebRtcIms.Wwsf.Passkeys", purpose).ToTimeLimitedDataProtector();

    private static CookieOptions Options(HttpContext context) => new()
    {
        Path = "/api",
        HttpOnly = true,
        SameSite = SameSiteMode.Strict,
        Secure = context.Request.IsHttps,
        MaxAge = Lifetime,
    };
}
