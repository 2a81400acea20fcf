using System.Buffers.Binary;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Transport.Linux.Native;

/// <summary>struct sockaddr_in and sockaddr_in6, read and written in place.</summary>
internal static unsafe class NativeAddress
{
    /// <summary>Room for either, in octets.</summary>
    public const int Room = 32;

    private const ushort FamilyIPv4 = 2;
    private const ushort FamilyIPv6 = 10;
    private const int LengthIPv4 = 16;
    private const int LengthIPv6 = 28;

    public static TransportAddress Read(byte* address)
    {
        var port = BinaryPrimitives.ReadUInt16BigEndian(new ReadOnlySpan<byte>(address + 2, 2));
        var octets = *(ushort*)address == FamilyIPv6 ? new ReadOnlySpan<byte>(address + 8, 16) : new ReadOnlySpan<byte>(address + 4, 4);
        return new TransportAddress(InternetAddress.FromOctets(octets), port);
    }

    /// <summary>Writes the structure and returns its length.</summary>
    public static uint Write(in TransportAddress source, byte* address)
    {
        var span = new Span<byte>(address, Room);
        BinaryPrimitives.WriteUInt16BigEndian(span[2..], source.Port);
        if (source.Address.Family == StunAddressFamily.IPv4)
        {
            *(ushort*)address = FamilyIPv4;
            source.Address.CopyTo(span[4..]);
            *(ulong*)(address + 8) = 0;
            return LengthIPv4;
        }

        *(ushort*)address = FamilyIPv6;
        *(uint*)(address + 4) = 0; // flow label
        source.Address.CopyTo(span[8..]);
        *(uint*)(address + 24) = 0; // scope
        return LengthIPv6;
    }
}
