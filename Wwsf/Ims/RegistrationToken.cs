using System.Text.RegularExpressions;
using WebRtcIms.Wwsf.Waf;

namespace WebRtcIms.Wwsf.Ims;

/// <summary>The WAF's answer to <c>scope=ims.register</c> (W4); the token is opaque here, its lifetime in seconds.</summary>
internal sealed partial record RegistrationToken(string? AccessToken, string? TokenType, int ExpiresIn, string? Scope) : IWafToken
{
    /// <summary>What the WWSF asks for, so what it must get.</summary>
    public const string RequestedScope = Contracts.Scopes.ImsRegister;

    // It goes into a SIP header of every request; the eP-CSCF takes no longer one.
    private const int MaxLength = 4096;

    public string? Problem()
    {
        if (!string.Equals(TokenType, "Bearer", StringComparison.OrdinalIgnoreCase)) return "token_type is not Bearer";
        if (AccessToken is null || AccessToken.Length > MaxLength || !BearerToken().IsMatch(AccessToken)) return "access_token is no bearer token";
        if (Scope is not (null or RequestedScope)) return "scope is not the one that was asked for";
        return ExpiresIn > 0 ? null : "expires_in is not positive";
    }

    public override string ToString() => "***";

    // b64token of RFC 6750 §2.1.
    [GeneratedRegex(@"^[A-Za-z0-9\-._~+/]+=*\z")]
    private static partial Regex BearerToken();
}
