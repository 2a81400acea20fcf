using System.Buffers.Binary;
using System.Security.Cryptography;

namespace WebRtcIms.Turn.Engine.Mobility;

/// <summary>
/// MOBILITY-TICKETs (RFC 8016 §3.3): the number of an allocation and of its move, sealed with AES-256-GCM.
/// </summary>
/// <remarks>
/// Layout: 24 octets of nonce, 12 of ciphertext, 16 of tag. Appendix A's AES-CBC with HMAC is an example; GCM is one primitive
/// for both halves, and also seals the tokens of this project. The key is derived from the fleet's, under a label of its
/// own: every node knows a ticket of the others for genuine, and the allocation for another's (437), whereas garbage is 400.
/// Half of the nonce is random input to a key of this ticket, and half is the nonce of GCM. So the nonces of the fleet do not repeat, and
/// the fleet's key needs no bound on its tickets (NIST SP 800-38D §8.3 allows 2^32 random nonces of 12 octets under one key).
/// </remarks>
/// <param name="key">32 octets.</param>
public sealed class MobilityTickets(byte[] key)
{
    /// <summary>In octets.</summary>
    public const int Length = NonceLength + ContentLength + TagLength;

    private const int SaltLength = 12;
    private const int GcmNonceLength = 12;
    private const int NonceLength = SaltLength + GcmNonceLength;
    private const int KeyLength = 32;
    private const int ContentLength = sizeof(ulong) + sizeof(uint);
    private const int TagLength = 16;

    /// <summary>A ticket that differs from every other, also from one for the same move.</summary>
    public byte[] Seal(ulong allocation, uint move)
    {
        var ticket = new byte[Length];
        Span<byte> content = stackalloc byte[ContentLength];
        BinaryPrimitives.WriteUInt64BigEndian(content, allocation);
        BinaryPrimitives.WriteUInt32BigEndian(content[sizeof(ulong)..], move);

        var nonce = ticket.AsSpan(0, NonceLength);
        RandomNumberGenerator.Fill(nonce);
        using var aead = CipherOf(nonce);
        aead.Encrypt(nonce[SaltLength..], content, ticket.AsSpan(NonceLength, ContentLength), ticket.AsSpan(NonceLength + ContentLength));
        return ticket;
    }

    /// <summary>False for anything that no server with this key has sealed.</summary>
    public bool TryOpen(ReadOnlySpan<byte> ticket, out ulong allocation, out uint move)
    {
        allocation = 0;
        move = 0;
        if (ticket.Length != Length) return false;
        Span<byte> content = stackalloc byte[ContentLength];
        using var aead = CipherOf(ticket);
        try
        {
            aead.Decrypt(
                ticket[SaltLength..NonceLength], ticket.Slice(NonceLength, ContentLength), ticket[(NonceLength + ContentLength)..],
                content);
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }

        allocation = BinaryPrimitives.ReadUInt64BigEndian(content);
        move = BinaryPrimitives.ReadUInt32BigEndian(content[sizeof(ulong)..]);
        return true;
    }

    private AesGcm CipherOf(ReadOnlySpan<byte> ticket)
    {
        Span<byte> own = stackalloc byte[KeyLength];
        HKDF.Expand(HashAlgorithmName.SHA256, key, own, ticket[..SaltLength]);
        var cipher = new AesGcm(own, TagLength);
        CryptographicOperations.ZeroMemory(own);
        return cipher;
    }
}
