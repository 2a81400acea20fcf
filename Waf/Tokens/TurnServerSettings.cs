using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Waf.Rings;

namespace WebRtcIms.Waf.Tokens;

/// <summary>A TURN server that tokens are issued for: the audience, and the long-term key shared with it (RFC 7635 §4.1).</summary>
internal sealed class TurnServerSettings
{
    /// <summary>The server's name in THIRD-PARTY-AUTHORIZATION.</summary>
    public string Name { get; set; } = "";

    /// <summary>The name of <see cref="Key"/>. Without a key it is the prefix of the names of a ring, and its default is Name.</summary>
    public string Kid { get; set; } = "";

    /// <summary>K in base64. Without it the server has a ring of keys in the store, which are replaced from time to time.</summary>
    public string Key { get; set; } = "";

    /// <summary>How long a key of the ring is current.</summary>
    public TimeSpan KeyRotation { get; set; } = TimeSpan.FromDays(1);

    /// <summary>
    /// How long TURN servers have a key of the ring before tokens are issued with it. It is longer than they need to fetch it.
    /// </summary>
    public TimeSpan KeyLeadTime { get; set; } = TimeSpan.FromMinutes(10);

    public string Algorithm { get; set; } = "A256GCM";

    public TimeSpan TokenLifetime { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// SHA-256 of the certificate, in hexadecimal, with which the TURN server may fetch its key (RFC 7635 §4.1.1). Without it the key
    /// cannot be fetched.
    /// </summary>
    public string? CertificateSha256 { get; set; }

    /// <summary>The 32 octets of <see cref="CertificateSha256"/>; null without them. It may have the colons that openssl writes.</summary>
    public byte[]? Thumbprint => ReadThumbprint(CertificateSha256);

    public static byte[]? ReadThumbprint(string? certificateSha256)
    {
        var octets = new byte[SHA256.HashSizeInBytes];
        var digits = (certificateSha256 ?? "").Replace(":", "", StringComparison.Ordinal);
        var status = Convert.FromHexString(digits, octets, out _, out var written);
        return status == OperationStatus.Done && written == octets.Length ? octets : null;
    }

    public bool HasRing => Key.Length == 0;

    /// <summary>The prefix of a ring, or the name of the static key.</summary>
    public string KidOrPrefix => HasRing && Kid.Length == 0 ? Name : Kid;

    public RingSettings ToRing()
    {
        _ = AccessTokenAlgorithms.TryParse(Algorithm, out var algorithm);
        return new RingSettings(Name, KidOrPrefix, algorithm, TokenLifetime)
        {
            Interval = KeyRotation,
            LeadTime = KeyLeadTime,
            StaticKey = HasRing ? null : Convert.FromBase64String(Key),
            Thumbprint = Thumbprint,
        };
    }

    public IEnumerable<string> Problems()
    {
        if (Encoding.UTF8.GetByteCount(Name) is 0 or > 255) yield return "Name must have 1 to 255 octets";
        if (HasRing)
        {
            foreach (var problem in RingSettings.Problems(KidOrPrefix, nameof(Name), KeyRotation, KeyLeadTime)) yield return problem;
        }
        else if (Encoding.UTF8.GetByteCount(Kid) is 0 or > 128 || Kid.Contains('~', StringComparison.Ordinal))
        {
            yield return "Kid must have 1 to 128 octets and no '~'";
        }

        if (TokenLifetime < TokenLimits.ShortestLifetime || TokenLifetime > TokenLimits.LongestLifetime)
            yield return $"TokenLifetime must be a time from {TokenLimits.ShortestLifetime:c} to {TokenLimits.LongestLifetime:c}";
        if (!AccessTokenAlgorithms.TryParse(Algorithm, out var algorithm)) yield return "Algorithm must be A256GCM or A128GCM";
        else if (!HasRing && KeyProblem(algorithm) is { } problem) yield return problem;
        if (CertificateSha256 is not null && Thumbprint is null) yield return "CertificateSha256 must be 64 hexadecimal digits";
    }

    private string? KeyProblem(AccessTokenAlgorithm algorithm)
    {
        if (!Convert.TryFromBase64String(Key, new byte[Key.Length], out var length)) return "Key must be base64";
        return length < algorithm.KeyLength() ? $"Key must have {algorithm.KeyLength()} octets or more for {Algorithm}" : null;
    }
}
