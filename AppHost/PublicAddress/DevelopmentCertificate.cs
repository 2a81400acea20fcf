using System.Security.Cryptography.X509Certificates;

namespace WebRtcIms.AppHost;

/// <summary>What a certificate is for: the object identifier of its extended key usage.</summary>
internal static class CertificateUse
{
    public const string Server = "1.3.6.1.5.5.7.3.1";
    public const string Client = "1.3.6.1.5.5.7.3.2";
}

/// <summary>A certificate and its key as two PEM files.</summary>
internal sealed record PemCertificate(string Path, string KeyPath, string Fingerprint);

/// <summary>
/// A certificate that this host made by itself, with its key in a file that only this user can read. It stays the same from start to
/// start, so that a browser asks only once.
/// </summary>
/// <param name="Path">A PFX file without a password.</param>
/// <param name="Fingerprint">SHA-256, as browsers show it.</param>
internal sealed record DevelopmentCertificate(string Path, string Fingerprint)
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(365);
    private static readonly TimeSpan Reserve = TimeSpan.FromDays(30);

    /// <summary>
    /// The certificate in the folder for this address or name. A new one is made if there is none, or if it expires soon.
    /// </summary>
    public static DevelopmentCertificate For(string host, string folder, TimeProvider time, string use = CertificateUse.Server)
    {
        var path = System.IO.Path.Combine(folder, host + ".pfx");
        var now = time.GetUtcNow();
        if (TryRead(path) is { } kept && kept.NotAfter.ToUniversalTime() > now.UtcDateTime + Reserve) return new(path, FingerprintOf(kept));

        using var made = Make(host, now, use);
        PrivateFolder.Create(folder);
        Save(made.Export(X509ContentType.Pkcs12), path);
        return new(path, FingerprintOf(made));
    }

    /// <summary>Writes the PEM files beside the PFX file.</summary>
    public PemCertificate ToPem()
    {
        using var certificate = X509CertificateLoader.LoadPkcs12FromFile(Path, password: null, X509KeyStorageFlags.Exportable);
        using var key = certificate.GetECDsaPrivateKey()!;
        var pem = new PemCertificate(
            System.IO.Path.ChangeExtension(Path, ".pem"), System.IO.Path.ChangeExtension(Path, ".key"), Fingerprint);
        Save(Encoding.ASCII.GetBytes(certificate.ExportCertificatePem()), pem.Path);
        Save(Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem()), pem.KeyPath);
        return pem;
    }

    private static X509Certificate2? TryRead(string path)
    {
        try
        {
            return File.Exists(path) ? X509CertificateLoader.LoadPkcs12FromFile(path, password: null) : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static X509Certificate2 Make(string host, DateTimeOffset now, string use)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(host, out var address)) names.AddIpAddress(address);
        else names.AddDnsName(host);
        var request = new CertificateRequest(new X500DistinguishedName("CN=WebRtcIms for development"), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(use)], critical: false));
        // Clocks in the room differ.
        return request.CreateSelfSigned(now.AddDays(-1), now + Lifetime);
    }

    // Only this user can read it from the first byte on, and it is never half written.
    private static void Save(byte[] content, string path)
    {
        var draft = $"{path}.{Guid.NewGuid():N}";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var file = new FileStream(draft, options)) file.Write(content);
        File.Move(draft, path, overwrite: true);
    }

    private static string FingerprintOf(X509Certificate2 certificate) => certificate.GetCertHashString(HashAlgorithmName.SHA256);
}
