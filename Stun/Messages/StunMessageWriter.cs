using System.Buffers.Binary;
using WebRtcIms.Stun.Integrity;

namespace WebRtcIms.Stun.Messages;

/// <summary>
/// Builds a STUN message in the caller's buffer. Padding is zero (RFC 8489 §14), the length field is correct after every
/// attribute. Add integrity and then fingerprint last.
/// </summary>
/// <remarks>A buffer that is too small is a bug of the caller and throws <see cref="ArgumentException"/>.</remarks>
public ref struct StunMessageWriter
{
    private readonly Span<byte> _buffer;

    /// <summary>Writes the header of a message.</summary>
    public StunMessageWriter(Span<byte> buffer, StunMethod method, StunClass @class, TransactionId transactionId)
    {
        _buffer = buffer;
        BinaryPrimitives.WriteUInt16BigEndian(buffer, new StunMessageType(method, @class).Encode());
        BinaryPrimitives.WriteUInt32BigEndian(buffer[4..], StunHeader.MagicCookie);
        transactionId.CopyTo(buffer[8..]);
        Length = StunHeader.Length;
        WriteLength();
    }

    /// <summary>Octets written so far. They are a complete message at any time.</summary>
    public int Length { get; private set; }

    /// <summary>The message so far.</summary>
    public readonly ReadOnlySpan<byte> Written => _buffer[..Length];

    /// <summary>Writes an attribute and its padding.</summary>
    public void Write(StunAttributeType type, scoped ReadOnlySpan<byte> value) => value.CopyTo(Reserve(type, value.Length));

    /// <summary>Writes an attribute with a four-octet number.</summary>
    public void WriteUInt32(StunAttributeType type, uint value) =>
        BinaryPrimitives.WriteUInt32BigEndian(Reserve(type, 4), value);

    /// <summary>
    /// Adds an attribute whose value is already in the buffer, four octets after the written part. A relay can thus put a header
    /// before a payload without a copy.
    /// </summary>
    public void WriteInPlace(StunAttributeType type, int length) => Reserve(type, length);

    /// <summary>Writes XOR-MAPPED-ADDRESS, XOR-PEER-ADDRESS or XOR-RELAYED-ADDRESS (RFC 8489 §14.2).</summary>
    public void WriteXorAddress(StunAttributeType type, in TransportAddress address)
    {
        Span<byte> value = stackalloc byte[StunAddressCodec.MaxLength];
        Write(type, value[..StunAddressCodec.WriteXor(address, _buffer, value)]);
    }

    /// <summary>Writes ALTERNATE-SERVER: an address without the mask (RFC 8489 §14.15).</summary>
    public void WriteAddress(StunAttributeType type, in TransportAddress address)
    {
        Span<byte> value = stackalloc byte[StunAddressCodec.MaxLength];
        Write(type, value[..StunAddressCodec.Write(address, value)]);
    }

    /// <summary>Writes ERROR-CODE with the reason phrase of the RFC (RFC 8489 §14.8).</summary>
    public void WriteErrorCode(StunError error)
    {
        var phrase = error.ReasonPhrase();
        var value = Reserve(StunAttributeType.ErrorCode, 4 + phrase.Length);
        value[0] = 0;
        value[1] = 0;
        value[2] = (byte)((int)error / 100);
        value[3] = (byte)((int)error % 100);
        phrase.CopyTo(value[4..]);
    }

    /// <summary>Writes UNKNOWN-ATTRIBUTES: the types for which the request is refused (RFC 8489 §14.13).</summary>
    public void WriteUnknownAttributes(scoped ReadOnlySpan<StunAttributeType> types)
    {
        var value = Reserve(StunAttributeType.UnknownAttributes, 2 * types.Length);
        foreach (var type in types)
        {
            BinaryPrimitives.WriteUInt16BigEndian(value, (ushort)type);
            value = value[2..];
        }
    }

    /// <summary>Adds MESSAGE-INTEGRITY over everything written so far (RFC 8489 §14.5).</summary>
    public void AddMessageIntegrity(scoped ReadOnlySpan<byte> key)
    {
        var value = Reserve(StunAttributeType.MessageIntegrity, MessageIntegrity.Sha1Length);
        MessageIntegrity.Compute(IntegrityAlgorithm.Sha1, Written, Length - value.Length - StunHeader.AttributeHeaderLength, key, value);
    }

    /// <summary>Adds MESSAGE-INTEGRITY-SHA256, not truncated, over everything written so far (RFC 8489 §14.6).</summary>
    public void AddMessageIntegritySha256(scoped ReadOnlySpan<byte> key)
    {
        var value = Reserve(StunAttributeType.MessageIntegritySha256, MessageIntegrity.Sha256Length);
        MessageIntegrity.Compute(IntegrityAlgorithm.Sha256, Written, Length - value.Length - StunHeader.AttributeHeaderLength, key, value);
    }

    /// <summary>Adds FINGERPRINT; nothing may follow (RFC 8489 §14.7).</summary>
    public void AddFingerprint()
    {
        var value = Reserve(StunAttributeType.Fingerprint, 4);
        BinaryPrimitives.WriteUInt32BigEndian(value, Fingerprint.Compute(Written[..^8]));
    }

    /// <summary>Writes the header and padding of an attribute and returns the span of its value.</summary>
    private Span<byte> Reserve(StunAttributeType type, int length)
    {
        var attribute = _buffer.Slice(Length, StunHeader.AttributeHeaderLength + StunHeader.Padded(length));
        BinaryPrimitives.WriteUInt16BigEndian(attribute, (ushort)type);
        BinaryPrimitives.WriteUInt16BigEndian(attribute[2..], (ushort)length);
        attribute[(StunHeader.AttributeHeaderLength + length)..].Clear();
        Length += attribute.Length;
        WriteLength();
        return attribute.Slice(StunHeader.AttributeHeaderLength, length);
    }

    private readonly void WriteLength() =>
        BinaryPrimitives.WriteUInt16BigEndian(_buffer[2..], (ushort)(Length - StunHeader.Length));
}
