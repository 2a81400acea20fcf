using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Registration;

/// <summary>
/// The Bearer token of a request. Two forms are in use: <c>Bearer access_token="..."</c> (TS 24.371 A.3.2) and
/// <c>Bearer ...</c> (RFC 8898 §2, from RFC 6750).
/// </summary>
internal static class BearerCredentials
{
    private const string Scheme = "Bearer";

    /// <summary>The token; null if there is none of this scheme.</summary>
    public static string? Find(SipHeaders headers)
    {
        foreach (var (name, value) in headers.Fields)
        {
            if (name != HeaderName.Authorization) continue;
            if (value.Length <= Scheme.Length || !value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
                || value[Scheme.Length] is not (' ' or '\t')) continue;
            return Token(value[Scheme.Length..].Trim());
        }
        return null;
    }

    private static string Token(string credentials)
    {
        foreach (var parameter in HeaderText.Split(credentials))
        {
            var equals = parameter.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0 && parameter[..equals].Trim().Equals("access_token", StringComparison.OrdinalIgnoreCase))
                return HeaderText.Unquote(parameter[(equals + 1)..].Trim());
        }
        return credentials;
    }
}
