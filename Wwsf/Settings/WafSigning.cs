using Microsoft.IdentityModel.Tokens;

namespace WebRtcIms.Wwsf.Settings;

/// <summary>For private_key_jwt (RFC 7523): the issuer name of the WAF, and the key of this client.</summary>
internal sealed record WafSigning(string Issuer, ECDsa Key)
{
    public SigningCredentials Credentials => new(SecurityKeyOf(Key), SecurityAlgorithms.EcdsaSha256);

    /// <summary>The public keys as a JWK Set (RFC 7517 §5), the format of <c>Waf:Clients:0:Jwks</c>.</summary>
    public static string Jwks(params ReadOnlySpan<ECDsa> keys)
    {
        List<string> set = [];
        foreach (var key in keys)
        {
            var (point, kid) = (key.ExportParameters(includePrivateParameters: false).Q, SecurityKeyOf(key).KeyId);
            var (x, y) = (Base64UrlEncoder.Encode(point.X), Base64UrlEncoder.Encode(point.Y));
            set.Add($$"""{"kty":"EC","crv":"P-256","use":"sig","kid":"{{kid}}","x":"{{x}}","y":"{{y}}"}""");
        }

        return $$"""{"keys":[{{string.Join(',', set)}}]}""";
    }

    public override string ToString() => "***";

    // RFC 7638: the key id is a hash of the key.
    private static ECDsaSecurityKey SecurityKeyOf(ECDsa ecdsa)
    {
        var key = new ECDsaSecurityKey(ecdsa);
        key.KeyId = Base64UrlEncoder.Encode(key.ComputeJwkThumbprint());
        return key;
    }
}
