using WebRtcIms.Stun.OAuth;

namespace WebRtcIms.Wwsf.Waf;

/// <summary>
/// The WAF's response for <c>scope=stun</c> (W4; RFC 7635 Appendix B): <c>access_token</c> and <c>key</c> (the mac_key) in
/// base64, lifetime in seconds.
/// </summary>
internal sealed record TurnToken(string? AccessToken, string? TokenType, int ExpiresIn, string? Kid, string? Key, string? Alg) : IWafToken
{
    /// <summary>The algorithm that the WWSF requests and therefore expects.</summary>
    public const string Algorithm = "HMAC-SHA-256-128";

    /// <summary>
    /// USERNAME of the browser profile. Browsers cannot send ACCESS-TOKEN, so USERNAME contains the token as
    /// <c>kid~base64url(token)</c>.
    /// </summary>
    public string BrowserUserName => BrowserUsername.Format(Kid!, Convert.FromBase64String(AccessToken!));

    public string? Problem()
    {
        if (!string.Equals(TokenType, "pop", StringComparison.OrdinalIgnoreCase)) return "token_type is not pop";
        if (string.IsNullOrEmpty(Kid) || Kid.Contains(BrowserUsername.Separator, StringComparison.Ordinal))
            return "kid is missing or contains a '~'";
        if (!IsBase64(AccessToken)) return "access_token is not base64";
        if (!IsBase64(Key)) return "key is not base64";
        if (Alg is not (null or Algorithm)) return "alg is not the requested one";
        if (ExpiresIn <= 0) return "expires_in is not positive";
        return Encoding.UTF8.GetByteCount(BrowserUserName) > BrowserUsername.MaxLength
            ? "kid and access_token are too long for a TURN user name"
            : null;
    }

    public override string ToString() => "***";

    private static bool IsBase64(string? text) =>
        !string.IsNullOrEmpty(text) && Convert.TryFromBase64String(text, new byte[text.Length], out _);
}
