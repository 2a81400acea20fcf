using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using WebRtcIms.Stun.Integrity;

namespace WebRtcIms.Stun.Messages;

/// <summary>
/// The HMACs of RFC 8489 §14.5 and §14.6: over the message up to the attribute, with the header's length field as if the
/// attribute were the message's last.
/// </summary>
internal static class MessageIntegrity
{
    public const int Sha1Length = 20;
    public const int Sha256Length = 32;

    // Longer messages come only over a stream.
    private const int StackLimit = 2048;

    /// <param name="algorithm">Which HMAC.</param>
    /// <param name="message">The whole message.</param>
    /// <param name="offset">Offset of the header of the attribute.</param>
    /// <param name="key">The key.</param>
    /// <param name="destination">20 or 32 octets.</param>
    public static void Compute(
        IntegrityAlgorithm algorithm, ReadOnlySpan<byte> message, int offset, ReadOnlySpan<byte> key, Span<byte> destination)
    {
        byte[]? rented = null;
        Span<byte> covered = offset <= StackLimit
            ? stackalloc byte[StackLimit]
            : rented = ArrayPool<byte>.Shared.Rent(offset);
        covered = covered[..offset];
        message[..offset].CopyTo(covered);

        var valueLength = algorithm == IntegrityAlgorithm.Sha1 ? Sha1Length : Sha256Length;
        var lengthField = offset + StunHeader.AttributeHeaderLength + valueLength - StunHeader.Length;
        BinaryPrimitives.WriteUInt16BigEndian(covered[2..], (ushort)lengthField);
        if (algorithm == IntegrityAlgorithm.Sha1) HMACSHA1.HashData(key, covered, destination);
        else HMACSHA256.HashData(key, covered, destination);

        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
    }

    public static bool Verify(IntegrityAlgorithm algorithm, ReadOnlySpan<byte> message, int offset, ReadOnlySpan<byte> key)
    {
        var length = BinaryPrimitives.ReadUInt16BigEndian(message[(offset + 2)..]);
        if (length != (algorithm == IntegrityAlgorithm.Sha1 ? Sha1Length : Sha256Length)) return false;

        Span<byte> expected = stackalloc byte[length];
        Compute(algorithm, message, offset, key, expected);
        return CryptographicOperations.FixedTimeEquals(expected, message.Slice(offset + StunHeader.AttributeHeaderLength, length));
    }
}
