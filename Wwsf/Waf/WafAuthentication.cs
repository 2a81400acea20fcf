using System.Net.Http.Headers;
using System.Text;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace WebRtcIms.Wwsf.Waf;

/// <summary>
/// Proves to the WAF who asks: with the client's secret (client_secret_basic, RFC 6749 §2.3.1), or with an assertion that it signs
/// (private_key_jwt, RFC 7523). An assertion serves once, so it is made for each attempt.
/// </summary>
internal sealed class WafAuthentication(WwsfSettings settings, TimeProvider time) : DelegatingHandler
{
    private const string AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(1);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (settings.WafClientSecret is { } secret)
        {
            request.Headers.Authorization = BasicCredentials(secret.Reveal());
            return await base.SendAsync(request, cancellationToken);
        }

        var form = request.Content!;
        var assertion = $"&client_id={Uri.EscapeDataString(settings.WafClientId)}&client_assertion_type={Uri.EscapeDataString(AssertionType)}&client_assertion={Assert()}";
        request.Content = new StringContent(
            await form.ReadAsStringAsync(cancellationToken) + assertion, new MediaTypeHeaderValue("application/x-www-form-urlencoded"));
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        finally
        {
            // As it was, for the next attempt.
            request.Content = form;
        }
    }

    // Both parts are form-encoded before they are joined.
    private AuthenticationHeaderValue BasicCredentials(string secret) => new(
        "Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Uri.EscapeDataString(settings.WafClientId)}:{Uri.EscapeDataString(secret)}")));

    private string Assert()
    {
        var now = time.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            TokenType = "client-authentication+jwt",
            Issuer = settings.WafClientId,
            Audience = settings.WafSigning!.Issuer,
            Claims = new Dictionary<string, object> { [JwtRegisteredClaimNames.Sub] = settings.WafClientId, [JwtRegisteredClaimNames.Jti] = Guid.NewGuid().ToString() },
            IssuedAt = now,
            NotBefore = now,
            Expires = now + Lifetime,
            SigningCredentials = new SigningCredentials(SigningKey(settings.WafSigning), SecurityAlgorithms.EcdsaSha256),
        });
    }

    /// <summary>The public key as the WAF wants it in <c>Waf:Clients:0:Jwks</c>.</summary>
    public static string Jwks(WafSigningSettings signing)
    {
        var (point, kid) = (signing.Key.ExportParameters(includePrivateParameters: false).Q, SigningKey(signing).KeyId);
        return $$"""{"keys":[{"kty":"EC","crv":"P-256","use":"sig","kid":"{{kid}}","x":"{{Base64UrlEncoder.Encode(point.X)}}","y":"{{Base64UrlEncoder.Encode(point.Y)}}"}]}""";
    }

    // RFC 7638: the key names itself.
    private static ECDsaSecurityKey SigningKey(WafSigningSettings signing)
    {
        var key = new ECDsaSecurityKey(signing.Key);
        key.KeyId = Base64UrlEncoder.Encode(key.ComputeJwkThumbprint());
        return key;
    }
}
