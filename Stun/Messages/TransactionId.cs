using System.Buffers.Binary;

namespace WebRtcIms.Stun.Messages;

/// <summary>The 96 bits that match a response to its request (RFC 8489 §5), as a value that can be a dictionary key.</summary>
public readonly record struct TransactionId
{
    /// <summary>In octets.</summary>
    public const int Length = 12;

    private readonly ulong _high;
    private readonly uint _low;

    /// <summary>Reads a transaction id.</summary>
    /// <param name="octets">At least 12 octets; the first 12 are used.</param>
    public TransactionId(ReadOnlySpan<byte> octets)
    {
        _high = BinaryPrimitives.ReadUInt64BigEndian(octets);
        _low = BinaryPrimitives.ReadUInt32BigEndian(octets[8..]);
    }

    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, _high);
        BinaryPrimitives.WriteUInt32BigEndian(destination[8..], _low);
    }

    public override string ToString() => $"{_high:x16}{_low:x8}";
}
