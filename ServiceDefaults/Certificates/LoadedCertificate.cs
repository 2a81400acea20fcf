using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace WebRtcIms.ServiceDefaults.Certificates;

/// <summary>A certificate with its chain and its private key, from one file or two.</summary>
/// <param name="Context">The context for TLS handshakes of a server: it sends the whole chain.</param>
/// <param name="Fingerprint">The hash of the files. A different one means that they have changed.</param>
public sealed record LoadedCertificate(SslStreamCertificateContext Context, string Fingerprint)
{
    private const string ServerUse = "1.3.6.1.5.5.7.3.1";

    public X509Certificate2 Leaf => Context.TargetCertificate;

    /// <summary>Loads the files. If they cannot be used, <paramref name="problem"/> names the setting and the reason.</summary>
    public static LoadedCertificate? Load(CertificateFiles files, out string? problem)
    {
        if (!TryRead(files.Setting, files.Path, out var octets, out problem)) return null;
        byte[] keyOctets = [];
        if (!string.IsNullOrWhiteSpace(files.KeyPath) && !TryRead(files.KeySetting, files.KeyPath, out keyOctets, out problem)) return null;

        var content = FileContent.Read(octets, files.Password);
        var keyContent = keyOctets.Length > 0 ? FileContent.Read(keyOctets, files.Password) : content;
        problem = Problem(files, content, keyContent);
        if (problem is not null) return null;
        var leaf = content.Complete ?? Join(content.Certificates, keyContent);
        problem = leaf is null
            ? $"{files.KeySetting}: {KeyPlace(files)} is not the key of the certificate in '{files.Path}'"
            : files.IsForServer && !IsForServer(leaf) ? $"{files.Setting}: '{files.Path}' has a certificate that is not for servers" : null;
        if (problem is not null) return null;

        // The first certificate in the file need not be the server's own. The context puts the others in order (RFC 8446 §4.4.2), and
        // fetches none.
        X509Certificate2Collection others = [.. content.Certificates.Where(other => !IsSame(other, leaf!))];
        return new(SslStreamCertificateContext.Create(leaf!, others, offline: true), FingerprintOf(octets, keyOctets));
    }

    /// <summary>The private key in a file; null if there is none that can be used.</summary>
    public static AsymmetricAlgorithm? LoadKey(string path, string? password) =>
        TryRead("", path, out var octets, out _) ? FileContent.Read(octets, password).Keys.FirstOrDefault() : null;

    /// <summary>The certificates in a file; empty if there is none that can be used.</summary>
    public static IReadOnlyList<X509Certificate2> LoadAuthorities(string setting, string path, out string? problem)
    {
        if (!TryRead(setting, path, out var octets, out problem)) return [];
        var content = FileContent.Read(octets, password: null);
        problem = content.Problem is { } text ? $"{setting}: '{path}' {text}"
            : content.Certificates.Count == 0 ? $"{setting}: '{path}' has no certificate in PEM or DER" : null;
        return problem is null ? content.Certificates : [];
    }

    /// <summary>The fingerprint of the files now; null when one cannot be read.</summary>
    internal static string? FingerprintOf(CertificateFiles files)
    {
        byte[] key = [];
        return TryRead(files.Setting, files.Path, out var octets, out _)
            && (string.IsNullOrWhiteSpace(files.KeyPath) || TryRead(files.KeySetting, files.KeyPath, out key, out _))
                ? FingerprintOf(octets, key) : null;
    }

    private static string? Problem(CertificateFiles files, FileContent content, FileContent keyContent)
    {
        if (content.Problem is { } text) return $"{files.Setting}: '{files.Path}' {text}";
        if (keyContent.Problem is { } other) return $"{files.KeySetting}: {KeyPlace(files)} {other}";
        if (content.NeedsPassword || keyContent.NeedsPassword)
        {
            var place = content.NeedsPassword ? $"'{files.Path}'" : KeyPlace(files);
            return string.IsNullOrEmpty(files.Password)
                ? $"{files.PasswordSetting} is missing: {place} is encrypted"
                : $"{files.PasswordSetting} is not the password of {place}, or its encryption is not supported";
        }

        if (content.Certificates.Count == 0) return $"{files.Setting}: '{files.Path}' has no certificate in PEM, DER or PKCS #12";
        if (content.Complete is not null || keyContent.Complete is not null || keyContent.Keys.Count > 0) return null;
        return string.IsNullOrWhiteSpace(files.KeyPath)
            ? $"{files.KeySetting} is missing: '{files.Path}' has no private key"
            : $"{files.KeySetting}: '{files.KeyPath}' has no private key in PEM, DER or PKCS #12";
    }

    private static string KeyPlace(CertificateFiles files) =>
        $"'{(string.IsNullOrWhiteSpace(files.KeyPath) ? files.Path : files.KeyPath)}'";

    private static X509Certificate2? Join(List<X509Certificate2> certificates, FileContent keys)
    {
        foreach (var certificate in certificates)
        {
            if (keys.Complete is { } complete && IsSame(complete, certificate)) return complete;
            foreach (var key in keys.Keys)
            {
                if (Join(certificate, key) is { } joined) return joined;
            }
        }

        return null;
    }

    private static X509Certificate2? Join(X509Certificate2 certificate, AsymmetricAlgorithm key)
    {
        try
        {
            var joined = key switch
            {
                RSA rsa => certificate.CopyWithPrivateKey(rsa),
                ECDsa ecdsa => certificate.CopyWithPrivateKey(ecdsa),
                _ => null,
            };

            // Schannel does not accept ephemeral keys.
            return OperatingSystem.IsWindows() && joined is not null
                ? X509CertificateLoader.LoadPkcs12(joined.Export(X509ContentType.Pkcs12), null) : joined;
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }

    private static bool IsSame(X509Certificate2 one, X509Certificate2 other) =>
        one.RawDataMemory.Span.SequenceEqual(other.RawDataMemory.Span);

    private static bool IsForServer(X509Certificate2 leaf) =>
        leaf.Extensions.OfType<X509EnhancedKeyUsageExtension>().ToList() is not { Count: > 0 } uses
        || uses.Exists(use => use.EnhancedKeyUsages.Cast<Oid>().Any(oid => oid.Value == ServerUse));

    private static bool TryRead(string setting, string path, out byte[] octets, out string? problem)
    {
        octets = [];
        problem = null;
        try
        {
            octets = File.ReadAllBytes(path);
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            problem = path.Contains('\0', StringComparison.Ordinal)
                ? $"{setting} must be the path of a file" : $"{setting}: '{path}' cannot be read ({error.GetType().Name})";
            return false;
        }
    }

    private static string FingerprintOf(byte[] certificate, byte[] key) =>
        Convert.ToHexString(SHA256.HashData([.. SHA256.HashData(certificate), .. SHA256.HashData(key)]));
}
