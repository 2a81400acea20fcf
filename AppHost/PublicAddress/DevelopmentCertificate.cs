using System.Security.Cryptography.X509Certificates;

namespace WebRtcIms.AppHost;

/// <summary>
/// A certificate that this host made by itself, with its key in a file that only this user can read. It stays the same from start to
/// start, so that a browser asks only once.
/// </summary>
/// <param name="Path">A PFX file without a password.</param>
/// <param name="Fingerprint">SHA-256, as browsers show it.</param>
internal sealed record DevelopmentCertificate(string Path, string Fingerprint)
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(365);
    private static readonly TimeSpan Reserve = TimeSpan.FromDays(30);

    /// <summary>
    /// The certificate in the folder for this address or name. A new one is made if there is none, or if it expires soon.
    /// </summary>
    public static DevelopmentCertificate For(string host, string folder, TimeProvider time)
    {
        var path = System.IO.Path.Combine(folder, host + ".pfx");
        var now = time.GetUtcNow();
        if (TryRead(path) is { } kept && kept.NotAfter.ToUniversalTime() > now.UtcDateTime + Reserve) return new(path, FingerprintOf(kept));

        using var made = Make(host, now);
        Directory.CreateDirectory(folder);
        Save(made.Export(X509ContentType.Pkcs12), path);
        return new(path, FingerprintOf(made));
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

    private static X509Certificate2 Make(string host, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(host, out var address)) names.AddIpAddress(address);
        else names.AddDnsName(host);
        var request = new CertificateRequest(new X500DistinguishedName("CN=WebRtcIms for development"), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ServerAuthentication)], critical: false));
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
