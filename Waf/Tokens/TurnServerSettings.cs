using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.OAuth;

namespace WebRtcIms.Waf.Tokens;

/// <summary>A TURN server that tokens are issued for: the audience, and the long-term key shared with it (RFC 7635 §4.1).</summary>
internal sealed class TurnServerSettings
{
    /// <summary>The server's name in THIRD-PARTY-AUTHORIZATION.</summary>
    public string Name { get; set; } = "";

    public string Kid { get; set; } = "";

    /// <summary>K in base64.</summary>
    public string Key { get; set; } = "";

    public string Algorithm { get; set; } = "A256GCM";

    public TimeSpan TokenLifetime { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// SHA-256 of the certificate, in hexadecimal, with which the TURN server may fetch its key (RFC 7635 §4.1.1). Without it the key
    /// cannot be fetched.
    /// </summary>
    public string? CertificateSha256 { get; set; }

    /// <summary>The 32 octets of <see cref="CertificateSha256"/>; null without them. It may have the colons that openssl writes.</summary>
    public byte[]? Thumbprint
    {
        get
        {
            var octets = new byte[SHA256.HashSizeInBytes];
            var digits = (CertificateSha256 ?? "").Replace(":", "", StringComparison.Ordinal);
            var status = Convert.FromHexString(digits, octets, out _, out var written);
            return status == OperationStatus.Done && written == octets.Length ? octets : null;
        }
    }

    public IEnumerable<string> Problems()
    {
        if (Encoding.UTF8.GetByteCount(Name) is 0 or > 255) yield return "Name must have 1 to 255 octets";
        if (Encoding.UTF8.GetByteCount(Kid) is 0 or > 128 || Kid.Contains('~', StringComparison.Ordinal))
            yield return "Kid must have 1 to 128 octets and no '~'";
        if (TokenLifetime < TokenLimits.ShortestLifetime || TokenLifetime > TokenLimits.LongestLifetime)
            yield return $"TokenLifetime must be a time from {TokenLimits.ShortestLifetime:c} to {TokenLimits.LongestLifetime:c}";
        if (!AccessTokenAlgorithms.TryParse(Algorithm, out var algorithm)) yield return "Algorithm must be A256GCM or A128GCM";
        else if (!Convert.TryFromBase64String(Key, new byte[Key.Length], out var length)) yield return "Key must be base64";
        else if (length < algorithm.KeyLength()) yield return $"Key must have {algorithm.KeyLength()} octets or more for {Algorithm}";
        if (CertificateSha256 is not null && Thumbprint is null) yield return "CertificateSha256 must be 64 hexadecimal digits";
    }
}
