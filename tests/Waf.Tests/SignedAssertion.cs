using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace WebRtcIms.Waf.Tests;

/// <summary>Assertions of a client that signs (RFC 7523 §3), made from scratch.</summary>
internal static class SignedAssertion
{
    public const string Type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

    public static ECDsa Key { get; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>The JWK Set for the settings.</summary>
    public static string PublicKeys { get; } = Jwks(Key.ExportParameters(includePrivateParameters: false).Q);

    public static string Sign(Dictionary<string, object> claims) => Encode("ES256", claims, Sign);

    public static byte[] Sign(byte[] octets) => Key.SignData(octets, HashAlgorithmName.SHA256);

    public static string Encode(string algorithm, Dictionary<string, object> claims, Func<byte[], byte[]> sign,
        string? type = "client-authentication+jwt", string? keyId = "s1")
    {
        Dictionary<string, string?> header = new() { ["alg"] = algorithm, ["typ"] = type, ["kid"] = keyId };
        var signed = $"{Part(header.Where(member => member.Value is not null).ToDictionary())}.{Part(claims)}";
        return $"{signed}.{Base64Url.EncodeToString(sign(Encoding.ASCII.GetBytes(signed)))}";

        static string Part(object content) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(content));
    }

    private static string Jwks(ECPoint point) => JsonSerializer.Serialize(new
    {
        keys = new[] { new { kty = "EC", crv = "P-256", kid = "s1", x = Base64Url.EncodeToString(point.X),
            y = Base64Url.EncodeToString(point.Y) } },
    });
}
