using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;

namespace WebRtcIms.ServiceDefaults.Certificates;

/// <summary>The certificates and keys in a file, whatever its encoding.</summary>
internal sealed partial class FileContent
{
    private const byte Sequence = 0x30;

    public List<X509Certificate2> Certificates { get; } = [];

    public List<AsymmetricAlgorithm> Keys { get; } = [];

    /// <summary>A certificate of a PKCS #12 file that has its key already.</summary>
    public X509Certificate2? Complete { get; private set; }

    /// <summary>What is wrong with the file, without its name; null if nothing is.</summary>
    public string? Problem { get; private set; }

    /// <summary>Whether a password is missing or wrong.</summary>
    public bool NeedsPassword { get; private set; }

    public static FileContent Read(byte[] octets, string? password)
    {
        var content = new FileContent();
        if (octets is [Sequence, ..] && octets.AsSpan().IndexOf("-----BEGIN "u8) < 0) content.ReadDer(octets, password);
        else content.ReadPem(Decode(octets), password);
        return content;
    }

    // Windows writes a byte order mark, and some of its tools UTF-16.
    private static string Decode(byte[] octets)
    {
        using var reader = new StreamReader(new MemoryStream(octets), detectEncodingFromByteOrderMarks: true);
        return reader.ReadToEnd();
    }

    private void ReadDer(byte[] octets, string? password)
    {
        switch (TypeOf(octets))
        {
            case X509ContentType.Cert:
                AddCertificate(octets);
                break;
            case X509ContentType.Pkcs12:
                ReadPkcs12(octets, password);
                break;
            case X509ContentType.Pkcs7:
                Problem = "is PKCS #7: convert it with 'openssl pkcs7 -print_certs'";
                break;
            default:
                if (KeyFile.ReadDer(octets, password) is { } key) Keys.Add(key);
                else if (KeyFile.IsOfEdwardsCurve(octets)) RefuseEdwardsCurve();
                else NeedsPassword = true;
                break;
        }
    }

    private static X509ContentType TypeOf(byte[] octets)
    {
        try
        {
            return X509Certificate2.GetCertContentType(octets);
        }
        catch (CryptographicException)
        {
            return X509ContentType.Unknown;
        }
    }

    private void ReadPkcs12(byte[] octets, string? password)
    {
        try
        {
            var all = X509CertificateLoader.LoadPkcs12Collection(octets, password, X509KeyStorageFlags.Exportable);
            Complete = all.FirstOrDefault(certificate => certificate.HasPrivateKey);
            Certificates.AddRange(all);
        }
        catch (CryptographicException)
        {
            NeedsPassword = true;
        }
    }

    private void ReadPem(string text, string? password)
    {
        foreach (Match match in Block().Matches(text))
        {
            var (label, body) = (match.Groups["label"].Value, match.Groups["body"].Value);
            if (!match.Groups["end"].Success) Problem = "ends in the middle of a block";
            else if (body.Contains("Proc-Type:", StringComparison.Ordinal))
                Problem = "has a key that is encrypted in the old form of OpenSSL: convert it with 'openssl pkcs8 -topk8'";
            else ReadBlock(label, body, password);
        }
    }

    private void ReadBlock(string label, string body, string? password)
    {
        var isKey = label.EndsWith("PRIVATE KEY", StringComparison.Ordinal);
        var isCertificate = label is "CERTIFICATE" or "X509 CERTIFICATE";
        if (label == "PKCS7") Problem = "is PKCS #7: convert it with 'openssl pkcs7 -print_certs'";
        if (!isKey && !isCertificate) return;
        if (!TryDecode(body, out var der)) Problem = $"has a block '{label}' that is not base64";
        else if (isCertificate) AddCertificate(der);
        else if (KeyFile.ReadBlock(label, der, password) is { } key) Keys.Add(key);
        else if (label == "ENCRYPTED PRIVATE KEY") NeedsPassword = true;
        else if (KeyFile.IsOfEdwardsCurve(der)) RefuseEdwardsCurve();
        else Problem = $"has a block '{label}' that is not a key of a known kind";
    }

    private void AddCertificate(byte[] der)
    {
        try
        {
            Certificates.Add(X509CertificateLoader.LoadCertificate(der));
        }
        catch (CryptographicException)
        {
            Problem = "has a certificate that cannot be read";
        }
    }

    private void RefuseEdwardsCurve() =>
        Problem = "has a key of the kind Ed25519 or Ed448, which .NET cannot use for TLS: make one of RSA or ECDSA";

    private static bool TryDecode(string body, out byte[] der)
    {
        der = new byte[body.Length];
        if (!Convert.TryFromBase64String(body, der, out var length)) return false;
        der = der[..length];
        return true;
    }

    // A file that is being written ends before the end of its block.
    [GeneratedRegex("-----BEGIN (?<label>[A-Z0-9 ]+)-----(?<body>.*?)((?<end>-----END \\k<label>-----)|\\z)", RegexOptions.Singleline)]
    private static partial Regex Block();
}
