namespace WebRtcIms.Wwsf.Waf;

/// <summary>The WAF's response for <c>scope=ims.register</c> (W4): an opaque token, and its lifetime in seconds.</summary>
internal sealed partial record RegistrationToken(string? AccessToken, string? TokenType, int ExpiresIn, string? Scope) : IWafToken
{
    // The eP-CSCF accepts no longer token in a SIP header.
    private const int MaxLength = 4096;

    public string? Problem()
    {
        if (!string.Equals(TokenType, "Bearer", StringComparison.OrdinalIgnoreCase)) return "token_type is not Bearer";
        if (AccessToken is null || AccessToken.Length > MaxLength || !BearerToken().IsMatch(AccessToken))
            return "access_token is not a bearer token";
        if (Scope is not (null or Scopes.ImsRegister)) return "scope is not the requested one";
        return ExpiresIn > 0 ? null : "expires_in is not positive";
    }

    public override string ToString() => "***";

    // b64token of RFC 6750 §2.1.
    [GeneratedRegex(@"^[A-Za-z0-9\-._~+/]+=*\z")]
    private static partial Regex BearerToken();
}
