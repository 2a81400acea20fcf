using System.Buffers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.IdentityModel.Tokens;

namespace WebRtcIms.Waf.Clients;

/// <summary>The certificate of a client that authenticates by mutual TLS. The SHA-256 hash identifies it.</summary>
internal static class ClientCertificate
{
    /// <summary>The hash as it is stored; null when the text is not one. It may have the colons that openssl writes.</summary>
    public static string? ReadHash(string text)
    {
        var octets = new byte[SHA256.HashSizeInBytes];
        var status = Convert.FromHexString(text.Replace(":", "", StringComparison.Ordinal), octets, out _, out var written);
        return status == OperationStatus.Done && written == octets.Length ? Convert.ToHexString(octets) : null;
    }

    public static string Hash(X509Certificate2 certificate) => certificate.GetCertHashString(HashAlgorithmName.SHA256);

    /// <summary>
    /// The hash of the certificate that a key has in <c>x5c</c>; null when it has none. The certificate must have that key (RFC 7517 §4.7).
    /// </summary>
    public static string? HashOf(JsonWebKey key)
    {
        if (key.X5c is not [{ } text, ..]) return null;
        try
        {
            using var certificate = X509CertificateLoader.LoadCertificate(Convert.FromBase64String(text));
            return HasKey(certificate, key) ? Hash(certificate) : null;
        }
        catch (Exception error) when (error is FormatException or CryptographicException)
        {
            return null;
        }
    }

    private static bool HasKey(X509Certificate2 certificate, JsonWebKey key)
    {
        using var rsa = certificate.GetRSAPublicKey();
        using var ec = certificate.GetECDsaPublicKey();
        if (rsa?.ExportParameters(includePrivateParameters: false) is { } numbers)
            return IsEqual(numbers.Modulus, key.N) && IsEqual(numbers.Exponent, key.E);
        return ec?.ExportParameters(includePrivateParameters: false).Q is { } point && IsEqual(point.X, key.X) && IsEqual(point.Y, key.Y);
    }

    private static bool IsEqual(byte[]? octets, string? text) =>
        octets is not null && text is not null && octets.AsSpan().SequenceEqual(Base64UrlEncoder.DecodeBytes(text));
}
