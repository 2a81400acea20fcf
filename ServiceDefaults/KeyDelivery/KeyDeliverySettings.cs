using System.ComponentModel.DataAnnotations;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using WebRtcIms.ServiceDefaults.Certificates;

namespace WebRtcIms.ServiceDefaults.KeyDelivery;

/// <summary>A section such as <c>Turn:KeyDelivery</c>: the WAF from which a service fetches its long-term keys (RFC 7635 §4.1.1).</summary>
public sealed class KeyDeliverySettings
{
    /// <summary>The https address of the WAF, such as <c>https://waf.example.org:8444</c>.</summary>
    public string Address { get; set; } = "";

    /// <summary>A file with this service's client certificate: PEM, DER or PKCS #12. The WAF knows it by its SHA-256.</summary>
    public string Certificate { get; set; } = "";

    /// <summary>A file with the private key of the certificate, if it is not in the same file.</summary>
    public string CertificateKey { get; set; } = "";

    /// <summary>The password of an encrypted key.</summary>
    public Redacted<string>? CertificateKeyPassword { get; set; }

    /// <summary>A file with the certificates that the WAF's certificate must chain to; by default those of the system.</summary>
    public string? Authority { get; set; }

    /// <summary>The time between two requests. The WAF must announce a next key earlier than this.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00", ErrorMessage = "{0} must be a time from {1} to {2}")]
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(20);

    /// <param name="section">The name of these settings.</param>
    public IEnumerable<string> Problems(string section)
    {
        if (HttpAddress.Parse(Address) is not { PathAndQuery: "/", UserInfo: "" } address || address.Scheme != Uri.UriSchemeHttps)
            yield return $"{section}:Address must be an https address without a path, such as https://waf.example.org:8444";
        if (LoadedCertificate.Load(Files(section), out var problem) is null) yield return problem!;
        if (Authority is null) yield break;
        _ = LoadedCertificate.LoadAuthorities($"{section}:Authority", Authority, out var other);
        if (other is not null) yield return other;
    }

    /// <summary>The options of one connection. The files are read again each time, so that renewed certificates need no restart.</summary>
    internal SslClientAuthenticationOptions TlsOptions(X509Certificate2 certificate) => new()
    {
        // Not ClientCertificates: those are only sent if the WAF names their issuer.
        LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate,
        CertificateChainPolicy = Authority is null ? null : PolicyOf(LoadAuthority()),
    };

    internal X509Certificate2 LoadCertificate(string section) =>
        LoadedCertificate.Load(Files(section), out var problem)?.Leaf ?? throw new CryptographicException(problem);

    private static X509ChainPolicy PolicyOf(X509Certificate2Collection authority)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(authority);
        return policy;
    }

    private X509Certificate2Collection LoadAuthority()
    {
        var authorities = LoadedCertificate.LoadAuthorities(nameof(Authority), Authority!, out var problem);
        return problem is null ? [.. authorities] : throw new CryptographicException(problem);
    }

    private CertificateFiles Files(string section) => new(
        $"{section}:Certificate", Certificate, $"{section}:CertificateKey", CertificateKey, $"{section}:CertificateKeyPassword",
        CertificateKeyPassword?.Reveal())
    { IsForServer = false };
}
