using System.Net.Http.Headers;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Waf;

/// <summary>
/// Authenticates this client at the WAF, with its secret (client_secret_basic, RFC 6749 §2.3.1) or with a signed assertion
/// (private_key_jwt, RFC 7523). An assertion is valid once, so each attempt needs a new one.
/// </summary>
internal sealed class WafAuthentication(TimeProvider time) : DelegatingHandler
{
    /// <summary>Each request has the credentials with which it is sent.</summary>
    public static readonly HttpRequestOptionsKey<WafCredentials> Credentials = new("waf-credentials");

    private const string AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(1);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (!request.Options.TryGetValue(Credentials, out var client))
            throw new InvalidOperationException("The request has no credentials.");
        if (client.Secret is { } secret)
        {
            request.Headers.Authorization = BasicCredentials(client.ClientId, secret.Reveal());
            return await base.SendAsync(request, cancellationToken);
        }

        var form = request.Content!;
        var clientId = Uri.EscapeDataString(client.ClientId);
        var type = Uri.EscapeDataString(AssertionType);
        var assertion =
            $"&client_id={clientId}&client_assertion_type={type}&client_assertion={CreateAssertion(client.ClientId, client.Signing!)}";
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
    private static AuthenticationHeaderValue BasicCredentials(string clientId, string secret)
    {
        var credentials = $"{Uri.EscapeDataString(clientId)}:{Uri.EscapeDataString(secret)}";
        return new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(credentials)));
    }

    private string CreateAssertion(string clientId, WafSigning signing)
    {
        var now = time.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            TokenType = "client-authentication+jwt",
            Issuer = clientId,
            Audience = signing.Issuer,
            Claims = new Dictionary<string, object>
            {
                [JwtRegisteredClaimNames.Sub] = clientId,
                [JwtRegisteredClaimNames.Jti] = Guid.NewGuid().ToString(),
            },
            IssuedAt = now,
            NotBefore = now,
            Expires = now + Lifetime,
            SigningCredentials = signing.Credentials,
        });
    }
}
