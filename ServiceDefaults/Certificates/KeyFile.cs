using System.Security.Cryptography;

namespace WebRtcIms.ServiceDefaults.Certificates;

/// <summary>A private key in one of its encodings: PKCS #8, encrypted or not, PKCS #1 (RSA) or SEC 1 (EC).</summary>
internal static class KeyFile
{
    // The object identifiers of Ed25519 and Ed448 in DER (RFC 8410 §3).
    private static readonly byte[][] EdwardsCurves = [[0x06, 0x03, 0x2B, 0x65, 0x70], [0x06, 0x03, 0x2B, 0x65, 0x71]];

    /// <summary>Reads a key in DER of an unknown encoding.</summary>
    public static AsymmetricAlgorithm? ReadDer(byte[] der, string? password) =>
        (password is null ? null : Import(key => key.ImportEncryptedPkcs8PrivateKey(password, der, out _)))
        ?? Import(key => key.ImportPkcs8PrivateKey(der, out _)) ?? ImportRsa(der) ?? ImportEc(der);

    /// <summary>Reads the key of a PEM block with this label; null when it cannot be used.</summary>
    public static AsymmetricAlgorithm? ReadBlock(string label, byte[] der, string? password) => label switch
    {
        "PRIVATE KEY" => Import(key => key.ImportPkcs8PrivateKey(der, out _)),
        "ENCRYPTED PRIVATE KEY" => password is null ? null : Import(key => key.ImportEncryptedPkcs8PrivateKey(password, der, out _)),
        "RSA PRIVATE KEY" => ImportRsa(der),
        "EC PRIVATE KEY" => ImportEc(der),
        _ => null,
    };

    /// <summary>Whether a key that could not be read is of an Edwards curve.</summary>
    public static bool IsOfEdwardsCurve(byte[] der) => Array.Exists(EdwardsCurves, curve => der.AsSpan().IndexOf(curve) is >= 0 and < 16);

    private static AsymmetricAlgorithm? Import(Action<AsymmetricAlgorithm> import) =>
        Import(RSA.Create(), import) ?? Import(ECDsa.Create(), import);

    private static AsymmetricAlgorithm? ImportRsa(byte[] der) => Import(RSA.Create(), key => ((RSA)key).ImportRSAPrivateKey(der, out _));

    private static AsymmetricAlgorithm? ImportEc(byte[] der) => Import(ECDsa.Create(), key => ((ECDsa)key).ImportECPrivateKey(der, out _));

    private static AsymmetricAlgorithm? Import(AsymmetricAlgorithm key, Action<AsymmetricAlgorithm> import)
    {
        try
        {
            import(key);
            return key;
        }
        catch (CryptographicException)
        {
            key.Dispose();
            return null;
        }
    }
}
