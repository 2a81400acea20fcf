using Microsoft.IdentityModel.Tokens;

namespace WebRtcIms.Waf.Clients;

/// <summary>An OAuth client. It is written into the store at start; the store only keeps a hash of the secret.</summary>
internal sealed class ClientSettings
{
    public const int MaxClientIdLength = 100;

    // As strong as AES-128 (NIST SP 800-57 part 1, table 2).
    private const int MinRsaBits = 3072;

    public string ClientId { get; set; } = "";

    public string ClientSecret { get; set; } = "";

    /// <summary>
    /// Instead of a secret: the client's public keys as a JWK Set (RFC 7517 §5). The client signs assertions (private_key_jwt, RFC 7523
    /// §2.2).
    /// </summary>
    public string? Jwks { get; set; }

    /// <summary>
    /// Instead of a secret: the SHA-256 hash of the client's certificate in hexadecimal. The client authenticates by mutual TLS
    /// (self_signed_tls_client_auth, RFC 8705 §2.2).
    /// </summary>
    public string? CertificateSha256 { get; set; }

    public List<string> Audiences { get; set; } = [];

    /// <summary>Identities that the client may get registration tokens for; see <see cref="IdentityBlock"/>.</summary>
    public List<string> Impus { get; set; } = [];

    /// <summary>How the client authenticates.</summary>
    public ClientAuthentication Authentication =>
        Jwks is not null ? ClientAuthentication.Key
        : CertificateSha256 is not null ? ClientAuthentication.Certificate(ClientCertificate.ReadHash(CertificateSha256)!)
        : ClientAuthentication.AnySecret;

    public IEnumerable<string> Problems(IReadOnlyList<string> turnServers)
    {
        if (ClientId.Length is 0 or > MaxClientIdLength) yield return $"ClientId must have 1 to {MaxClientIdLength} characters";
        var others = Convert.ToInt32(Jwks is not null) + Convert.ToInt32(CertificateSha256 is not null);
        if (others > 0 && ClientSecret.Length > 0 || others > 1) yield return "ClientSecret, Jwks and CertificateSha256 exclude each other";
        else if (Jwks is not null && PublicKeys(Jwks) is null)
            yield return "Jwks must be a JWK Set of public keys, EC, or RSA of 3072 bits or more, such as {\"keys\":[{\"kty\":\"EC\",…}]}";
        else if (CertificateSha256 is not null && ClientCertificate.ReadHash(CertificateSha256) is null)
            yield return "CertificateSha256 must be 64 hexadecimal digits";
        else if (others == 0 && ClientSecret.Length < 16) yield return "ClientSecret must have 16 characters or more";
        if (Audiences.Count == 0) yield return "Audiences is empty: name the TURN servers that this client may get tokens for";
        foreach (var audience in Audiences.Except(turnServers))
            yield return $"Audiences names '{audience}', which is not among Waf:TurnServers";
        foreach (var impu in Impus.Where(impu => !IdentityBlock.IsPattern(impu)))
            yield return $"Impus has '{impu}', which is not a pattern such as sip:guest-*@example.org";
    }

    /// <summary>Null when the text is not a set of public keys that verify signatures, each with a strength of 128 bits or more.</summary>
    public static JsonWebKeySet? PublicKeys(string jwks)
    {
        try
        {
            var set = new JsonWebKeySet(jwks);
            return set.Keys.Count > 0
                && set.Keys.All(key => key is { Kty: "EC" } or { Kty: "RSA", KeySize: >= MinRsaBits }
                    && key is { HasPrivateKey: false, D: null, Use: null or "sig" })
                ? set
                : null;
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}
