using System.Buffers.Binary;

namespace WebRtcIms.Turn.Transport.Dtls;

/// <summary>What the header of a record says (RFC 6347 §4.1).</summary>
/// <param name="Type">20 change of cipher, 21 alert, 22 handshake, 23 application data.</param>
/// <param name="Epoch">0 until the cipher changes, then 1.</param>
/// <param name="Number">48 bits.</param>
/// <param name="Length">Of the whole record, its header included.</param>
internal readonly record struct DtlsRecord(byte Type, ushort Epoch, long Number, int Length)
{
    public const int HeaderLength = 13;

    public const byte Alert = 21;
    public const byte Handshake = 22;
    public const byte ApplicationData = 23;

    private const byte ClientHello = 1;

    /// <summary>Reads the first record; false when it is none, or is cut.</summary>
    public static bool TryRead(ReadOnlySpan<byte> datagram, out DtlsRecord record)
    {
        record = default;
        if (datagram.Length < HeaderLength || datagram[0] is < 20 or > 23 || datagram[1] != 0xFE) return false;
        var length = HeaderLength + BinaryPrimitives.ReadUInt16BigEndian(datagram[11..]);
        if (length > datagram.Length) return false;
        var number = (long)(BinaryPrimitives.ReadUInt64BigEndian(datagram[3..]) & 0xFFFF_FFFF_FFFF);
        record = new DtlsRecord(datagram[0], BinaryPrimitives.ReadUInt16BigEndian(datagram[3..]), number, length);
        return true;
    }

    /// <summary>Whether the datagram begins a new session.</summary>
    public static bool IsClientHello(ReadOnlySpan<byte> datagram) =>
        TryRead(datagram, out var record) && record is { Type: Handshake, Epoch: 0, Length: > HeaderLength }
            && datagram[HeaderLength] == ClientHello;
}
