using System.Net.Http.Headers;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Waf;

/// <summary>
/// Authenticates this client at the WAF, with its secret (client_secret_basic, RFC 6749 §2.3.1) or with a signed assertion
/// (private_key_jwt, RFC 7523). An assertion is valid once, so each attempt needs a new one.
/// </summary>
internal sealed class WafAuthentication(WwsfSettings settings, TimeProvider time) : DelegatingHandler
{
    private const string AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(1);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (settings.Waf.ClientSecret is { } secret)
        {
            request.Headers.Authorization = BasicCredentials(secret.Reveal());
            return await base.SendAsync(request, cancellationToken);
        }

        var form = request.Content!;
        var clientId = Uri.EscapeDataString(settings.Waf.ClientId);
        var type = Uri.EscapeDataString(AssertionType);
        var assertion = $"&client_id={clientId}&client_assertion_type={type}&client_assertion={CreateAssertion()}";
        request.Content = new StringContent(
            await form.ReadAsStringAsync(cancellationToken) + assertion, new MediaTypeHeaderValue("application/x-www-form-urlencoded"));
        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        finally
        {
            // The next attempt adds its own assertion.
            request.Content = form;
        }
    }

    // RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
    private AuthenticationHeaderValue BasicCredentials(string secret)
    {
        var credentials = $"{Uri.EscapeDataString(settings.Waf.ClientId)}:{Uri.EscapeDataString(secret)}";
        return new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(credentials)));
    }

    private string CreateAssertion()
    {
        var now = time.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            TokenType = "client-authentication+jwt",
            Issuer = settings.Waf.ClientId,
            Audience = settings.Waf.Signing!.Issuer,
            Claims = new Dictionary<string, object>
            {
                [JwtRegisteredClaimNames.Sub] = settings.Waf.ClientId,
                [JwtRegisteredClaimNames.Jti] = Guid.NewGuid().ToString(),
            },
            IssuedAt = now,
            NotBefore = now,
            Expires = now + Lifetime,
            SigningCredentials = new SigningCredentials(SigningKey(settings.Waf.Signing), SecurityAlgorithms.EcdsaSha256),
        });
    }

    /// <summary>The public key in the format of <c>Waf:Clients:0:Jwks</c>.</summary>
    public static string Jwks(WafSigning signing)
    {
        var (point, kid) = (signing.Key.ExportParameters(includePrivateParameters: false).Q, SigningKey(signing).KeyId);
        var (x, y) = (Base64UrlEncoder.Encode(point.X), Base64UrlEncoder.Encode(point.Y));
        return $$"""{"keys":[{"kty":"EC","crv":"P-256","use":"sig","kid":"{{kid}}","x":"{{x}}","y":"{{y}}"}]}""";
    }

    // RFC 7638: the key id is a hash of the key.
    private static ECDsaSecurityKey SigningKey(WafSigning signing)
    {
        var key = new ECDsaSecurityKey(signing.Key);
        key.KeyId = Base64UrlEncoder.Encode(key.ComputeJwkThumbprint());
        return key;
    }
}
