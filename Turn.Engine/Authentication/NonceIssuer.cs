using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Authentication;

/// <summary>Whether a nonce is one of ours.</summary>
internal enum NonceStatus
{
    Valid,

    /// <summary>Ours, for this client, and too old.</summary>
    Expired,

    /// <summary>Never issued to this client's address by a server with this key.</summary>
    Forged,
}

/// <summary>What a nonce says that the server can do: 24 bits, the first is the most significant one (RFC 8489 §18.1).</summary>
[Flags]
public enum SecurityFeatures
{
    /// <summary>No feature.</summary>
    None = 0,

    /// <summary>PASSWORD-ALGORITHMS is offered.</summary>
    PasswordAlgorithms = 0x800000,

    /// <summary>USERHASH is taken in place of USERNAME.</summary>
    UsernameAnonymity = 0x400000,
}

/// <summary>
/// Nonces that need no memory: time and randomness under an HMAC with the client's transport address. A flood of first
/// requests leaves nothing behind, and every node of a fleet with the same key accepts the nonces of the others.
/// </summary>
/// <remarks>
/// Layout: <c>obMatJos2</c>, four characters of security features (RFC 8489 §9.2), then base64url of six octets of
/// milliseconds, two of randomness and twelve of HMAC-SHA-256.
/// </remarks>
public sealed class NonceIssuer(byte[] key, SecurityFeatures features, Random random) : IDisposable
{
    /// <summary>In octets.</summary>
    public const int Length = 9 + 4 + 27;

    // RFC 8656 §5 wants a nonce to expire at least once every hour.
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    private const int StampLength = 8;
    private const int TagLength = 12;

    // Preparing the key is half of an HMAC; an object may be used by one thread at a time.
    private readonly ThreadLocal<IncrementalHash> _hmac = new(() => IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key));

    private readonly byte[] _cookie = Encoding.ASCII.GetBytes(
        "obMatJos2" + Convert.ToBase64String([(byte)((int)features >> 16), (byte)((int)features >> 8), (byte)features]));

    /// <summary>Writes a nonce for this client; <see cref="Length"/> octets.</summary>
    public void Issue(in FiveTuple flow, EngineTime time, Span<byte> destination)
    {
        Span<byte> octets = stackalloc byte[StampLength + TagLength];
        var stamp = ((ulong)time.Utc.ToUnixTimeMilliseconds() << 16) | (uint)random.Next(0x10000);
        BinaryPrimitives.WriteUInt64BigEndian(octets, stamp);
        Tag(octets[..StampLength], flow, octets[StampLength..]);

        _cookie.CopyTo(destination);
        Base64Url.EncodeToUtf8(octets, destination[_cookie.Length..], out _, out _);
    }

    internal NonceStatus Check(ReadOnlySpan<byte> nonce, in FiveTuple flow, EngineTime time)
    {
        if (nonce.Length != Length || !nonce.StartsWith(_cookie)) return NonceStatus.Forged;
        Span<byte> octets = stackalloc byte[StampLength + TagLength];
        if (Base64Url.DecodeFromUtf8(nonce[_cookie.Length..], octets, out _, out var length) != OperationStatus.Done
            || length != octets.Length)
            return NonceStatus.Forged;

        Span<byte> expected = stackalloc byte[TagLength];
        Tag(octets[..StampLength], flow, expected);
        if (!CryptographicOperations.FixedTimeEquals(expected, octets[StampLength..])) return NonceStatus.Forged;

        var issued = DateTimeOffset.FromUnixTimeMilliseconds((long)(BinaryPrimitives.ReadUInt64BigEndian(octets) >> 16));
        return time.Utc - issued < Lifetime ? NonceStatus.Valid : NonceStatus.Expired;
    }

    private void Tag(ReadOnlySpan<byte> stamp, in FiveTuple flow, Span<byte> tag)
    {
        Span<byte> covered = stackalloc byte[StampLength + 1 + 16 + 2];
        covered.Clear();
        stamp.CopyTo(covered);
        covered[StampLength] = (byte)flow.Transport;
        flow.Client.Address.CopyTo(covered[(StampLength + 1)..]);
        BinaryPrimitives.WriteUInt16BigEndian(covered[(StampLength + 17)..], flow.Client.Port);

        Span<byte> hash = stackalloc byte[32];
        var hmac = _hmac.Value!;
        hmac.AppendData(covered);
        hmac.GetHashAndReset(hash);
        hash[..TagLength].CopyTo(tag);
    }

    /// <summary>Releases the prepared keys of all threads.</summary>
    public void Dispose() => _hmac.Dispose();
}
