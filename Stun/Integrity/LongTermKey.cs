using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace WebRtcIms.Stun.Integrity;

/// <summary>
/// The key of the long-term credential mechanism: the hash of <c>username:realm:password</c>, MD5 unless PASSWORD-ALGORITHM
/// says SHA-256 (RFC 8489 §9.2.2, §18.5.1). Also USERHASH (§14.4).
/// </summary>
public static class LongTermKey
{
    /// <summary>Length of the MD5 key, in octets.</summary>
    public const int Md5Length = 16;

    /// <summary>Length of the SHA-256 key, in octets.</summary>
    public const int Sha256Length = 32;

    /// <summary>The MD5 key, which every browser uses. RFC 8489 §18.5.1.1 prescribes it; it protects only this exchange.</summary>
    public static void ComputeMd5(ReadOnlySpan<byte> username, ReadOnlySpan<byte> realm, ReadOnlySpan<byte> password, Span<byte> key)
    {
        using var joined = Join(username, realm, password);
        MD5.HashData(joined.Octets, key);
    }

    /// <summary>The SHA-256 key, for clients that answer PASSWORD-ALGORITHMS (RFC 8489 §18.5.1.2).</summary>
    public static void ComputeSha256(ReadOnlySpan<byte> username, ReadOnlySpan<byte> realm, ReadOnlySpan<byte> password, Span<byte> key)
    {
        using var joined = Join(username, realm, password);
        SHA256.HashData(joined.Octets, key);
    }

    /// <summary>USERHASH: SHA-256 of <c>username:realm</c> (RFC 8489 §14.4), 32 octets.</summary>
    public static void ComputeUserHash(ReadOnlySpan<byte> username, ReadOnlySpan<byte> realm, Span<byte> hash)
    {
        using var joined = Join(username, realm);
        SHA256.HashData(joined.Octets, hash);
    }

    /// <summary>
    /// Applies the OpaqueString profile to a user name or password: spaces become U+0020, then NFC (RFC 8265 §4.2).
    /// </summary>
    public static string PrepareOpaqueString(string text)
    {
        var mapped = string.Create(text.Length, text, static (span, source) =>
        {
            for (var i = 0; i < span.Length; i++)
                span[i] = char.GetUnicodeCategory(source[i]) == System.Globalization.UnicodeCategory.SpaceSeparator ? ' ' : source[i];
        });
        return mapped.Normalize(NormalizationForm.FormC);
    }

    private static Joined Join(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second) => Join(first, second, default, withThird: false);

    private static Joined Join(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third, bool withThird = true)
    {
        var length = first.Length + 1 + second.Length + (withThird ? 1 + third.Length : 0);
        var joined = new Joined(ArrayPool<byte>.Shared.Rent(length), length);
        var rest = joined.Octets;
        first.CopyTo(rest);
        rest[first.Length] = (byte)':';
        rest = rest[(first.Length + 1)..];
        second.CopyTo(rest);
        if (!withThird) return joined;
        rest[second.Length] = (byte)':';
        third.CopyTo(rest[(second.Length + 1)..]);
        return joined;
    }

    /// <summary>A pooled buffer that is wiped before it is returned, because it held a password.</summary>
    private readonly ref struct Joined(byte[] buffer, int length)
    {
        public Span<byte> Octets => buffer.AsSpan(0, length);

        public void Dispose()
        {
            CryptographicOperations.ZeroMemory(Octets);
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
