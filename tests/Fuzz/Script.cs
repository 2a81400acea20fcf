using System.Buffers.Binary;

namespace WebRtcIms.Fuzz;

/// <summary>Reads a fuzzer's octets as choices. Behind the end all is zero, so that every input is a script.</summary>
internal ref struct Script(ReadOnlySpan<byte> octets)
{
    private ReadOnlySpan<byte> _rest = octets;

    public readonly bool IsEmpty => _rest.IsEmpty;

    public byte Byte()
    {
        if (_rest.IsEmpty) return 0;
        var value = _rest[0];
        _rest = _rest[1..];
        return value;
    }

    public ushort UInt16()
    {
        Span<byte> octets = [Byte(), Byte()];
        return BinaryPrimitives.ReadUInt16BigEndian(octets);
    }

    /// <summary>Reads up to so many octets.</summary>
    public ReadOnlySpan<byte> Read(int count)
    {
        var taken = _rest[..Math.Min(count, _rest.Length)];
        _rest = _rest[taken.Length..];
        return taken;
    }

    public ReadOnlySpan<byte> ReadRest() => Read(int.MaxValue);
}
