using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace WebRtcIms.Tests.Common;

/// <summary>A self-signed certificate for 127.0.0.1 and localhost, with its key, as PEM files in a temporary folder.</summary>
public sealed class TestCertificate : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("certificate-");

    private readonly bool _isEcdsa;
    private readonly int _rsaBits;

    /// <param name="isEcdsa">Whether the key is of P-256; else RSA.</param>
    /// <param name="rsaBits">The length of the RSA key.</param>
    public TestCertificate(bool isEcdsa = false, int rsaBits = 2048)
    {
        (_isEcdsa, _rsaBits) = (isEcdsa, rsaBits);
        Replace();
    }

    public string CertificateFile => Path.Combine(_folder.FullName, "certificate.pem");

    public string KeyFile => Path.Combine(_folder.FullName, "key.pem");

    /// <summary>SHA-256 hash of the certificate in the files.</summary>
    public string Thumbprint { get; private set; } = "";

    /// <summary>Environment variables for a server.</summary>
    public (string Name, string Value)[] Settings => [("Turn__TlsCertificate", CertificateFile), ("Turn__TlsKey", KeyFile)];

    /// <summary>Writes another certificate with another key to the files.</summary>
    public void Replace() => Write(_isEcdsa ? CreateEcdsa() : Create(_rsaBits));

    /// <summary>Accepts only this certificate.</summary>
    public bool Trusts(X509Certificate? certificate) =>
        certificate is not null && certificate.GetCertHashString(HashAlgorithmName.SHA256) == Thumbprint;

    /// <summary>Client options that trust only this certificate.</summary>
    public SslClientAuthenticationOptions ClientOptions(params string[] protocols) => new()
    {
        TargetHost = "localhost",
        ApplicationProtocols = protocols.Length == 0 ? null : [.. protocols.Select(name => new SslApplicationProtocol(name))],
        RemoteCertificateValidationCallback = (_, certificate, _, _) => Trusts(certificate),
    };

    public static (string CertificatePem, string KeyPem) Create(int rsaBits = 2048)
    {
        using var key = RSA.Create(rsaBits);
        return Sign(new CertificateRequest("CN=turn.test", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1), key);
    }

    private static (string CertificatePem, string KeyPem) CreateEcdsa()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return Sign(new CertificateRequest("CN=turn.test", key, HashAlgorithmName.SHA256), key);
    }

    private static (string CertificatePem, string KeyPem) Sign(CertificateRequest request, AsymmetricAlgorithm key)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddHours(-1), now.AddDays(1));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private void Write((string CertificatePem, string KeyPem) pair)
    {
        using var certificate = X509Certificate2.CreateFromPem(pair.CertificatePem);
        Thumbprint = certificate.GetCertHashString(HashAlgorithmName.SHA256);
        File.WriteAllText(CertificateFile, pair.CertificatePem);
        File.WriteAllText(KeyFile, pair.KeyPem);
    }
}
