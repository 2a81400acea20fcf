using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace WebRtcIms.Contracts.RegistrationTokens;

/// <summary>
/// A key shared by the WAF and the eP-CSCF, and the encrypted JWT made with it: JWE compact serialisation (RFC 7516 §3.1)
/// with direct encryption and AES-256-GCM (RFC 7518 §4.5, §5.3). RFC 8898 §5 requires encrypted tokens. GCM also authenticates
/// them: only a holder of the key can make one. Safe for use by several threads.
/// </summary>
/// <remarks>
/// It uses <see cref="AesGcm"/> directly: Microsoft.IdentityModel does not encrypt with A256GCM, and only decrypts it on Windows.
/// </remarks>
public sealed class RegistrationTokenKey : IDisposable
{
    public const int KeyLength = 32;

    private const int NonceLength = 12;
    private const int TagLength = 16;

    // An AesGcm has one context. Two concurrent calls would mix their nonces.
    private readonly Lock _gate = new();
    private readonly AesGcm _cipher;
    private readonly string _header;

    /// <param name="kid">The name of the key in the header of a token.</param>
    /// <param name="key"><see cref="KeyLength"/> octets.</param>
    /// <exception cref="ArgumentException">The key has another length, or the name is empty.</exception>
    public RegistrationTokenKey(string kid, ReadOnlySpan<byte> key)
    {
        ArgumentException.ThrowIfNullOrEmpty(kid);
        if (key.Length != KeyLength) throw new ArgumentException($"The key must have {KeyLength} octets.", nameof(key));
        Kid = kid;
        _cipher = new AesGcm(key, TagLength);
        _header = Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(new JoseHeader("dir", "A256GCM", "JWT", kid)));
    }

    public string Kid { get; }

    /// <summary>Checks the key of a setting, base64 of 32 octets. Returns the problem, or null.</summary>
    public static string? Problem(string kid, string key)
    {
        if (kid.Length is 0 or > 128) return "Kid must have 1 to 128 characters";
        var octets = new byte[key.Length];
        if (!Convert.TryFromBase64String(key, octets, out var length)) return "Key must be base64";
        return length == KeyLength ? null : $"Key must have {KeyLength} octets";
    }

    /// <summary>Returns the encrypted token as a compact JWE.</summary>
    public string Encrypt(RegistrationToken token)
    {
        var plaintext = JsonSerializer.SerializeToUtf8Bytes(token);
        var nonce = RandomNumberGenerator.GetBytes(NonceLength);
        var ciphertext = new byte[plaintext.Length];
        var tag = new byte[TagLength];
        lock (_gate) _cipher.Encrypt(nonce, plaintext, ciphertext, tag, Encoding.ASCII.GetBytes(_header));
        return $"{_header}..{Base64Url.EncodeToString(nonce)}.{Base64Url.EncodeToString(ciphertext)}.{Base64Url.EncodeToString(tag)}";
    }

    public void Dispose() => _cipher.Dispose();

    /// <summary>Decrypts the parts of a token whose header names this key.</summary>
    internal RegistrationTokenStatus Decrypt(CompactJwe jwe, out RegistrationToken? token)
    {
        token = null;
        if (jwe.Nonce.Length != NonceLength || jwe.Tag.Length != TagLength) return RegistrationTokenStatus.Malformed;
        var plaintext = new byte[jwe.Ciphertext.Length];
        try
        {
            lock (_gate) _cipher.Decrypt(jwe.Nonce, jwe.Ciphertext, jwe.Tag, plaintext, Encoding.ASCII.GetBytes(jwe.EncodedHeader));
            token = JsonSerializer.Deserialize<RegistrationToken>(plaintext);
        }
        catch (AuthenticationTagMismatchException)
        {
            return RegistrationTokenStatus.Forged;
        }
        catch (JsonException)
        {
            return RegistrationTokenStatus.Malformed;
        }

        return token is { Impi.Length: > 0, Impus.Count: > 0 } ? RegistrationTokenStatus.Valid : RegistrationTokenStatus.Malformed;
    }
}

/// <summary>The header of our tokens. A header with <c>zip</c> or <c>crit</c> is refused (RFC 7516 §4.1).</summary>
internal sealed record JoseHeader(
    [property: JsonPropertyName("alg")] string Algorithm,
    [property: JsonPropertyName("enc")] string Encryption,
    [property: JsonPropertyName("typ")] string? Type,
    [property: JsonPropertyName("kid")] string Kid,
    [property: JsonPropertyName("zip"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Compression = null,
    [property: JsonPropertyName("crit"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Critical =
        null);

/// <summary>The parts of a JWE with direct encryption: <c>header..nonce.ciphertext.tag</c>.</summary>
internal sealed record CompactJwe(string EncodedHeader, JoseHeader Header, byte[] Nonce, byte[] Ciphertext, byte[] Tag)
{
    public const int MaxLength = 4096;

    public static CompactJwe? Parse(string token)
    {
        if (token.Length > MaxLength || token.Split('.') is not [var header, "", var nonce, var ciphertext, var tag]) return null;
        try
        {
            var parsed = JsonSerializer.Deserialize<JoseHeader>(Base64Url.DecodeFromChars(header));
            if (parsed is not { Algorithm: "dir", Encryption: "A256GCM", Kid.Length: > 0, Compression: null, Critical: null }) return null;
            return new(
                header, parsed, Base64Url.DecodeFromChars(nonce), Base64Url.DecodeFromChars(ciphertext), Base64Url.DecodeFromChars(tag));
        }
        catch (Exception error) when (error is FormatException or JsonException)
        {
            return null;
        }
    }
}
