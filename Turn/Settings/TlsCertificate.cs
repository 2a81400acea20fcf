using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace WebRtcIms.Turn.Settings;

/// <summary>The server's certificate, its chain and its private key, from two PEM files.</summary>
/// <param name="Context">The context for TLS handshakes.</param>
/// <param name="Fingerprint">The hash of both files. A different one means that they have changed.</param>
internal sealed record TlsCertificate(SslStreamCertificateContext Context, string Fingerprint)
{
    private const string CertificateSetting = "Turn:TlsCertificate";
    private const string KeySetting = "Turn:TlsKey";

    public X509Certificate2 Leaf => Context.TargetCertificate;

    /// <summary>Loads both files. If they cannot be used, <paramref name="problem"/> names the setting and the reason.</summary>
    public static bool TryLoad(string certificatePath, string keyPath, out TlsCertificate? certificate, out string? problem)
    {
        certificate = null;
        if (!TryRead(certificatePath, CertificateSetting, out var certificatePem, out problem)) return false;
        if (!TryRead(keyPath, KeySetting, out var keyPem, out problem)) return false;

        var chain = new X509Certificate2Collection();
        if (!TryImport(chain, certificatePem)) problem = $"{CertificateSetting}: '{certificatePath}' is not a certificate in PEM";
        else if (!HasPrivateKey(keyPem)) problem = $"{KeySetting}: '{keyPath}' is not a private key in PEM without a password";
        else if (TryJoin(certificatePem, keyPem) is not { } leaf)
            problem = $"{KeySetting}: '{keyPath}' is not the key of the certificate in '{certificatePath}'";
        else certificate = new TlsCertificate(ContextFor(leaf, chain), FingerprintOf(certificatePem, keyPem));
        return certificate is not null;
    }

    /// <summary>The fingerprint of the files now; null when a file cannot be read.</summary>
    public static string? FingerprintOfFiles(string certificatePath, string keyPath) =>
        TryRead(certificatePath, CertificateSetting, out var certificate, out _) && TryRead(keyPath, KeySetting, out var key, out _)
            ? FingerprintOf(certificate, key)
            : null;

    private static bool TryRead(string path, string setting, out string content, out string? problem)
    {
        content = "";
        problem = null;
        try
        {
            content = File.ReadAllText(path);
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            problem = $"{setting}: '{path}' cannot be read ({error.GetType().Name})";
            return false;
        }
    }

    private static bool TryImport(X509Certificate2Collection chain, string pem)
    {
        try
        {
            chain.ImportFromPem(pem);
            return chain.Count > 0;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static bool HasPrivateKey(ReadOnlySpan<char> pem) =>
        PemEncoding.TryFind(pem, out var fields) && pem[fields.Label]
            is "PRIVATE KEY" or "RSA PRIVATE KEY" or "EC PRIVATE KEY" or "EC PARAMETERS";

    private static X509Certificate2? TryJoin(string certificatePem, string keyPem)
    {
        try
        {
            var leaf = X509Certificate2.CreateFromPem(certificatePem, keyPem);

            // Schannel does not accept ephemeral keys.
            return OperatingSystem.IsWindows() ? X509CertificateLoader.LoadPkcs12(leaf.Export(X509ContentType.Pkcs12), null) : leaf;
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            return null;
        }
    }

    // The file's first certificate is the server's, the others lead to its root (RFC 8446 §4.4.2). Nothing is fetched.
    private static SslStreamCertificateContext ContextFor(X509Certificate2 leaf, X509Certificate2Collection chain)
    {
        chain.RemoveAt(0);
        return SslStreamCertificateContext.Create(leaf, chain, offline: true);
    }

    private static string FingerprintOf(string certificatePem, string keyPem) =>
        Convert.ToHexString(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(certificatePem + keyPem)));
}
