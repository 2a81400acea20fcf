using System.Buffers.Binary;
using WebRtcIms.Stun.Integrity;

namespace WebRtcIms.Stun.Messages;

/// <summary>
/// Reads a STUN message in place: it copies nothing, allocates nothing, and no input throws.
/// </summary>
/// <remarks>
/// It shows only the attributes that an authenticated receiver may act on. Attributes after MESSAGE-INTEGRITY, except
/// MESSAGE-INTEGRITY-SHA256 and FINGERPRINT, are ignored (RFC 8489 §14.5). Of several attributes of one type the first counts
/// (§14).
/// </remarks>
public readonly ref struct StunMessageReader
{
    private readonly ReadOnlySpan<byte> _message;

    // Offsets of the headers of the attributes; 0 if absent.
    private readonly int _integrity;
    private readonly int _integritySha256;
    private readonly int _fingerprint;

    // End of the attributes that integrity covers, or of all when there is no integrity. Of both integrities SHA-1 is the first.
    private readonly int _end;

    private StunMessageReader(ReadOnlySpan<byte> message, int integrity, int integritySha256, int fingerprint)
    {
        _message = message;
        _integrity = integrity;
        _integritySha256 = integritySha256;
        _fingerprint = fingerprint;
        _end = (integrity, integritySha256, fingerprint) switch
        {
            ( > 0, _, _) => integrity,
            (_, > 0, _) => integritySha256,
            (_, _, > 0) => fingerprint,
            _ => message.Length,
        };
    }

    /// <summary>The whole message.</summary>
    public ReadOnlySpan<byte> Octets => _message;

    public StunMessageType Type => StunMessageType.Decode(BinaryPrimitives.ReadUInt16BigEndian(_message));

    public StunMethod Method => Type.Method;

    public StunClass Class => Type.Class;

    public TransactionId TransactionId => new(_message[8..]);

    /// <summary>Whether MESSAGE-INTEGRITY is present; it may be invalid.</summary>
    public bool HasMessageIntegrity => _integrity > 0;

    /// <summary>Whether MESSAGE-INTEGRITY-SHA256 is present; it may be invalid.</summary>
    public bool HasMessageIntegritySha256 => _integritySha256 > 0;

    /// <summary>
    /// Whether an integrity attribute has another length than its HMAC (RFC 8489 §14.5, §14.6). TURN does not allow truncation.
    /// </summary>
    public bool HasIntegrityOfWrongLength =>
        (_integrity > 0 && LengthAt(_integrity) != MessageIntegrity.Sha1Length)
        || (_integritySha256 > 0 && LengthAt(_integritySha256) != MessageIntegrity.Sha256Length);

    public bool HasFingerprint => _fingerprint > 0;

    /// <summary>The attributes that may be acted on, in order, without integrity and fingerprint.</summary>
    public StunAttributeEnumerator GetEnumerator() => new(_message[.._end]);

    /// <summary>Reads one message that fills <paramref name="octets"/> exactly.</summary>
    public static StunParseStatus TryRead(ReadOnlySpan<byte> octets, out StunMessageReader message)
    {
        message = default;
        if (octets.Length < StunHeader.Length || (octets[0] & 0b1100_0000) != 0) return StunParseStatus.NotStun;
        if (BinaryPrimitives.ReadUInt32BigEndian(octets[4..]) != StunHeader.MagicCookie) return StunParseStatus.WrongMagicCookie;
        var length = BinaryPrimitives.ReadUInt16BigEndian(octets[2..]);
        if (length % 4 != 0 || StunHeader.Length + length != octets.Length) return StunParseStatus.WrongLength;

        int integrity = 0, integritySha256 = 0, fingerprint = 0;
        for (var offset = StunHeader.Length; offset < octets.Length;)
        {
            if (fingerprint > 0) return StunParseStatus.FingerprintNotLast;
            var valueLength = BinaryPrimitives.ReadUInt16BigEndian(octets[(offset + 2)..]);
            var next = offset + StunHeader.AttributeHeaderLength + StunHeader.Padded(valueLength);
            if (next > octets.Length) return StunParseStatus.AttributeOverrun;

            switch ((StunAttributeType)BinaryPrimitives.ReadUInt16BigEndian(octets[offset..]))
            {
                // MESSAGE-INTEGRITY after MESSAGE-INTEGRITY-SHA256 is ignored (RFC 8489 §14.6).
                case StunAttributeType.MessageIntegrity when integrity == 0 && integritySha256 == 0: integrity = offset; break;
                case StunAttributeType.MessageIntegritySha256 when integritySha256 == 0: integritySha256 = offset; break;
                case StunAttributeType.Fingerprint: fingerprint = offset; break;
                default: break;
            }

            offset = next;
        }

        message = new StunMessageReader(octets, integrity, integritySha256, fingerprint);
        return StunParseStatus.Ok;
    }

    /// <summary>The value of the first attribute of a type, without padding.</summary>
    public bool TryGet(StunAttributeType type, out ReadOnlySpan<byte> value)
    {
        foreach (var attribute in this)
        {
            if (attribute.Type != type) continue;
            value = attribute.Value;
            return true;
        }

        value = default;
        return false;
    }

    private int LengthAt(int attribute) => BinaryPrimitives.ReadUInt16BigEndian(_message[(attribute + 2)..]);

    /// <summary>Whether there is an attribute of a type that may be acted on.</summary>
    public bool Has(StunAttributeType type) => TryGet(type, out _);

    /// <summary>A four-octet number, such as LIFETIME. False when absent or of another length.</summary>
    public bool TryGetUInt32(StunAttributeType type, out uint value)
    {
        var found = TryGet(type, out var octets) && octets.Length == 4;
        value = found ? BinaryPrimitives.ReadUInt32BigEndian(octets) : 0;
        return found;
    }

    /// <summary>An XOR-coded address (RFC 8489 §14.2). False when absent or malformed.</summary>
    public bool TryGetXorAddress(StunAttributeType type, out TransportAddress address)
    {
        address = default;
        return TryGet(type, out var value) && StunAddressCodec.TryReadXor(value, _message, out address);
    }

    /// <summary>Decodes an XOR-coded address from the enumerator, for attributes that occur several times.</summary>
    public bool TryDecodeXorAddress(ReadOnlySpan<byte> value, out TransportAddress address) =>
        StunAddressCodec.TryReadXor(value, _message, out address);

    /// <summary>The number in ERROR-CODE; <see cref="StunError.None"/> when absent or malformed.</summary>
    public StunError ErrorCode =>
        TryGet(StunAttributeType.ErrorCode, out var value) && value.Length >= 4
            ? (StunError)(((value[2] & 0x07) * 100) + value[3])
            : StunError.None;

    /// <summary>The reason phrase in ERROR-CODE, UTF-8 for people to read; empty when absent or malformed.</summary>
    public ReadOnlySpan<byte> ReasonPhrase =>
        TryGet(StunAttributeType.ErrorCode, out var value) && value.Length >= 4 ? value[4..] : default;

    /// <summary>
    /// Whether MESSAGE-INTEGRITY is present and valid for the key (RFC 8489 §14.5). Every wrong value takes the same time.
    /// </summary>
    public bool VerifyMessageIntegrity(ReadOnlySpan<byte> key) =>
        _integrity > 0 && MessageIntegrity.Verify(IntegrityAlgorithm.Sha1, _message, _integrity, key);

    /// <summary>
    /// Whether MESSAGE-INTEGRITY-SHA256 is present and valid for the key (RFC 8489 §14.6). TURN does not allow truncation.
    /// </summary>
    public bool VerifyMessageIntegritySha256(ReadOnlySpan<byte> key) =>
        _integritySha256 > 0 && MessageIntegrity.Verify(IntegrityAlgorithm.Sha256, _message, _integritySha256, key);

    /// <summary>Whether FINGERPRINT is absent or valid (RFC 8489 §14.7).</summary>
    public bool FingerprintIsAbsentOrRight => _fingerprint == 0 || Fingerprint.Verify(_message, _fingerprint);
}
