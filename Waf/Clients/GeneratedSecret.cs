using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace WebRtcIms.Waf.Clients;

/// <summary>
/// A secret that this server generated. It has 256 random bits, so guessing it is hopeless, and a fast hash under a random salt is enough.
/// Secrets of the settings may be weaker. They keep OpenIddict's slow hash.
/// </summary>
internal static class GeneratedSecret
{
    private const int Octets = 32;
    private const string Prefix = "wcs_";
    private const string Scheme = "hmac-sha256:";

    private static readonly int Length = Prefix.Length + Base64Url.GetEncodedLength(Octets);

    public static string Create() => Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(Octets));

    public static bool Is(string text) => text.Length == Length && text.StartsWith(Prefix, StringComparison.Ordinal);

    public static bool IsHash(string text) => text.StartsWith(Scheme, StringComparison.Ordinal);

    public static string Hash(string secret)
    {
        var salt = RandomNumberGenerator.GetBytes(Octets);
        return $"{Scheme}{Base64Url.EncodeToString(salt)}:{Base64Url.EncodeToString(Hash(salt, secret))}";
    }

    /// <param name="secret">A secret, also one of another form.</param>
    /// <param name="hash">A text for which <see cref="IsHash"/> holds.</param>
    public static bool Verify(string secret, string hash)
    {
        var parts = hash.Split(':');
        return CryptographicOperations.FixedTimeEquals(
            Hash(Base64Url.DecodeFromChars(parts[1]), secret), Base64Url.DecodeFromChars(parts[2]));
    }

    private static byte[] Hash(byte[] salt, string secret) => HMACSHA256.HashData(salt, Encoding.UTF8.GetBytes(secret));
}
