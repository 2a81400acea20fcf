using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace WebRtcIms.Tests.Common;

/// <summary>A certificate for localhost under two intermediate authorities and a root, and a folder for files.</summary>
public sealed class CertificateChain : IDisposable
{
    private const string ServerUse = "1.3.6.1.5.5.7.3.1";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("chain-");
    private readonly X509Certificate2[] _authorities;
    private readonly ECDsa _authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public CertificateChain()
    {
        var root = Authority("root", null);
        var first = Authority("first", root);
        _authorities = [Authority("second", first), first, root];
        Renew();
    }

    public string Folder => _folder.FullName;

    /// <summary>The certificate.</summary>
    public X509Certificate2 Leaf { get; private set; } = null!;

    public string Key { get; private set; } = "";

    /// <summary>The authorities that a server sends, the nearest first.</summary>
    public IEnumerable<X509Certificate2> Intermediates => _authorities[..2];

    public string LeafPem => Leaf.ExportCertificatePem() + "\n";

    public string IntermediatesPem => string.Concat(Intermediates.Select(authority => authority.ExportCertificatePem() + "\n"));

    public string RootPem => _authorities[2].ExportCertificatePem() + "\n";

    /// <summary>Makes another certificate with another key, under the same authorities.</summary>
    public void Renew(bool isRsa = false, TimeSpan? remaining = null, TimeSpan? lifetime = null, string use = ServerUse)
    {
        using AsymmetricAlgorithm key = isRsa ? RSA.Create(2048) : ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = key is RSA rsa
            ? new CertificateRequest("CN=localhost", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            : new CertificateRequest("CN=localhost", (ECDsa)key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(use)], critical: false));
        var end = TimeProvider.System.GetUtcNow() + (remaining ?? TimeSpan.FromDays(60));
        Leaf = request.Create(
            _authorities[0].SubjectName, X509SignatureGenerator.CreateForECDsa(_authorityKey), end - (lifetime ?? TimeSpan.FromDays(90)),
            end, RandomNumberGenerator.GetBytes(8));
        Key = key.ExportPkcs8PrivateKeyPem() + "\n";
    }

    /// <summary>Writes a file of the folder and returns its path.</summary>
    public string Write(string name, string content)
    {
        var path = PathOf(name);
        File.WriteAllText(path, content);
        return path;
    }

    public string PathOf(string name) => Path.Combine(Folder, name);

    public void Dispose()
    {
        _authorityKey.Dispose();
        _folder.Delete(recursive: true);
    }

    private X509Certificate2 Authority(string name, X509Certificate2? issuer)
    {
        var request = new CertificateRequest($"CN={name} of the tests", _authorityKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        var now = TimeProvider.System.GetUtcNow();
        return request.Create(
            issuer?.SubjectName ?? request.SubjectName, X509SignatureGenerator.CreateForECDsa(_authorityKey), now.AddYears(-1),
            now.AddYears(5), RandomNumberGenerator.GetBytes(8));
    }
}
