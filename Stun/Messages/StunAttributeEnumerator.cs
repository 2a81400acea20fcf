using System.Buffers.Binary;

namespace WebRtcIms.Stun.Messages;

/// <summary>One attribute: its type and its value without padding.</summary>
public readonly ref struct StunAttributeView(StunAttributeType type, ReadOnlySpan<byte> value)
{
    public StunAttributeType Type { get; } = type;

    public ReadOnlySpan<byte> Value { get; } = value;
}

/// <summary>Enumerates the attributes of a message whose structure has been checked.</summary>
public ref struct StunAttributeEnumerator(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _rest = message.IsEmpty ? message : message[StunHeader.Length..];

    public StunAttributeView Current { get; private set; }

    public bool MoveNext()
    {
        if (_rest.IsEmpty) return false;
        var length = BinaryPrimitives.ReadUInt16BigEndian(_rest[2..]);
        Current = new StunAttributeView(
            (StunAttributeType)BinaryPrimitives.ReadUInt16BigEndian(_rest),
            _rest.Slice(StunHeader.AttributeHeaderLength, length));
        _rest = _rest[(StunHeader.AttributeHeaderLength + StunHeader.Padded(length))..];
        return true;
    }
}
