using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace WebRtcIms.Stun.OAuth;

/// <summary>
/// The long-term key K that an authorization server shares with a STUN or TURN server, and the token codec under it
/// (RFC 7635 §4.1 and §6.2):
/// <code>
/// u16 nonce_length | nonce | AEAD( u16 key_length | mac_key | u64 timestamp | u32 lifetime ) | tag
/// </code>
/// all in network byte order, with the server name as associated data so that a token for one server is void at others.
/// Safe for use by several threads.
/// </summary>
public sealed class AccessTokenKey : IDisposable
{
    /// <summary>The only nonce length of AES-GCM in RFC 5116 §5.1, in octets.</summary>
    public const int NonceLength = 12;

    private const int TagLength = 16;
    private const int FixedBlockLength = 2 + 8 + 4;

    private readonly Lock _gate = new();
    private readonly AesGcm _aead;
    private readonly byte[] _keyId;

    /// <summary>Makes a key.</summary>
    /// <param name="keyId">The kid, which a native client sends as USERNAME. 1 to 128 octets of UTF-8, without <c>~</c>.</param>
    /// <param name="algorithm">The AEAD algorithm.</param>
    /// <param name="key">K. When it is longer than the algorithm needs, its first octets are used (RFC 7635 Appendix A).</param>
    /// <param name="notAfter">When the key and all its tokens expire; null for never.</param>
    /// <exception cref="ArgumentException">The kid or the key has a wrong length.</exception>
    public AccessTokenKey(string keyId, AccessTokenAlgorithm algorithm, ReadOnlySpan<byte> key, DateTimeOffset? notAfter = null)
    {
        _keyId = Encoding.UTF8.GetBytes(keyId);
        if (_keyId.Length is 0 or > 128 || keyId.Contains('~', StringComparison.Ordinal))
            throw new ArgumentException("A key id has 1 to 128 octets and no '~'", nameof(keyId));
        if (key.Length < algorithm.KeyLength())
            throw new ArgumentException($"{algorithm.Name()} needs a key of {algorithm.KeyLength()} octets", nameof(key));

        KeyId = keyId;
        Algorithm = algorithm;
        NotAfter = notAfter;
        _aead = new AesGcm(key[..algorithm.KeyLength()], TagLength);
    }

    /// <summary>The kid.</summary>
    public string KeyId { get; }

    public AccessTokenAlgorithm Algorithm { get; }

    /// <summary>When the key expires; null for never.</summary>
    public DateTimeOffset? NotAfter { get; }

    /// <summary>The kid as in USERNAME.</summary>
    public ReadOnlySpan<byte> KeyIdOctets => _keyId;

    /// <summary>Encrypts a token.</summary>
    /// <param name="token">Session key, timestamp and lifetime.</param>
    /// <param name="nonce">12 octets, never used before under this key.</param>
    /// <param name="serverName">The STUN server's name, as in its THIRD-PARTY-AUTHORIZATION.</param>
    /// <param name="destination">At least <see cref="AccessToken.MaxEncodedLength"/> octets.</param>
    /// <returns>The number of octets written.</returns>
    public int Encrypt(in AccessToken token, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> serverName, Span<byte> destination)
    {
        var macKey = token.MacKey;
        Span<byte> block = stackalloc byte[FixedBlockLength + macKey.Length];
        BinaryPrimitives.WriteUInt16BigEndian(block, (ushort)macKey.Length);
        macKey.CopyTo(block[2..]);
        BinaryPrimitives.WriteUInt64BigEndian(block[(2 + macKey.Length)..], token.Timestamp.Raw);
        BinaryPrimitives.WriteUInt32BigEndian(block[(10 + macKey.Length)..], token.LifetimeSeconds);

        BinaryPrimitives.WriteUInt16BigEndian(destination, NonceLength);
        nonce.CopyTo(destination[2..]);
        var sealedBlock = destination[(2 + NonceLength)..];
        lock (_gate)
            _aead.Encrypt(nonce, block, sealedBlock[..block.Length], sealedBlock.Slice(block.Length, TagLength), serverName);
        CryptographicOperations.ZeroMemory(block);
        return 2 + NonceLength + block.Length + TagLength;
    }

    /// <summary>Decrypts a token. The input may be any octets.</summary>
    /// <param name="token">The token as ACCESS-TOKEN carries it: raw octets, not base64.</param>
    /// <param name="serverName">This server's name.</param>
    /// <param name="content">
    /// The content, when the status is <see cref="AccessTokenStatus.Valid"/>. The caller still checks its time.
    /// </param>
    public AccessTokenStatus TryDecrypt(ReadOnlySpan<byte> token, ReadOnlySpan<byte> serverName, out AccessToken content)
    {
        content = default;
        if (!TryGetNonce(token, out var nonce)) return AccessTokenStatus.Malformed;

        var sealedBlock = token[(2 + NonceLength)..];
        var blockLength = sealedBlock.Length - TagLength;
        if (blockLength < FixedBlockLength + AccessToken.Sha1MacKeyLength) return AccessTokenStatus.Malformed;
        if (blockLength > FixedBlockLength + AccessToken.Sha256MacKeyLength) return AccessTokenStatus.Malformed;

        Span<byte> block = stackalloc byte[blockLength];
        if (!TryOpen(nonce, sealedBlock, serverName, block)) return AccessTokenStatus.NotAuthentic;

        var keyLength = BinaryPrimitives.ReadUInt16BigEndian(block);
        if (!AccessToken.IsMacKeyLength(keyLength) || FixedBlockLength + keyLength != blockLength)
            return AccessTokenStatus.UnsupportedContent;

        var timestamp = new TokenTimestamp(BinaryPrimitives.ReadUInt64BigEndian(block[(2 + keyLength)..]));
        if (!timestamp.IsDefined) return AccessTokenStatus.UnsupportedContent;

        content = new AccessToken(
            block.Slice(2, keyLength), timestamp, BinaryPrimitives.ReadUInt32BigEndian(block[(10 + keyLength)..]));
        CryptographicOperations.ZeroMemory(block);
        return AccessTokenStatus.Valid;
    }

    /// <summary>
    /// The nonce of a token. It is public and unique per kid, so it serves as the name of the token. False when the length field
    /// is not 12 or the token is shorter than that.
    /// </summary>
    public static bool TryGetNonce(ReadOnlySpan<byte> token, out ReadOnlySpan<byte> nonce)
    {
        nonce = default;
        if (token.Length < 2 + NonceLength) return false;
        if (BinaryPrimitives.ReadUInt16BigEndian(token) != NonceLength) return false;
        nonce = token.Slice(2, NonceLength);
        return true;
    }

    public void Dispose() => _aead.Dispose();

    private bool TryOpen(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> sealedBlock, ReadOnlySpan<byte> serverName, Span<byte> block)
    {
        try
        {
            lock (_gate) _aead.Decrypt(nonce, sealedBlock[..block.Length], sealedBlock[block.Length..], block, serverName);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            // .NET reports a forged token only by this exception; here it becomes a value.
            return false;
        }
    }
}
