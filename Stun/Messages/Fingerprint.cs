using System.Buffers.Binary;

namespace WebRtcIms.Stun.Messages;

/// <summary>
/// FINGERPRINT: the CRC-32 of ITU-T V.42 over the message before the attribute, with the attribute counted in the length
/// field, XORed with "STUN" (RFC 8489 §14.7).
/// </summary>
internal static class Fingerprint
{
    private const uint Mask = 0x5354554E;
    private static readonly uint[] Table = MakeTable();

    /// <param name="covered">The message up to the attribute; its length field already counts the attribute.</param>
    public static uint Compute(ReadOnlySpan<byte> covered)
    {
        var crc = 0xFFFFFFFF;
        foreach (var octet in covered) crc = Table[(byte)crc ^ octet] ^ (crc >> 8);
        return ~crc ^ Mask;
    }

    /// <summary>FINGERPRINT is the last attribute, so the length field of the header has the value that the sender used.</summary>
    public static bool Verify(ReadOnlySpan<byte> message, int offset)
    {
        var value = message[(offset + StunHeader.AttributeHeaderLength)..];
        return BinaryPrimitives.ReadUInt16BigEndian(message[(offset + 2)..]) == 4
            && BinaryPrimitives.ReadUInt32BigEndian(value) == Compute(message[..offset]);
    }

    internal static uint[] MakeTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < table.Length; i++)
        {
            var entry = i;
            for (var bit = 0; bit < 8; bit++) entry = (entry & 1) != 0 ? (entry >> 1) ^ 0xEDB88320 : entry >> 1;
            table[i] = entry;
        }

        return table;
    }
}
