using System.Buffers.Binary;

namespace WebRtcIms.Stun.Messages;

/// <summary>
/// MAPPED-ADDRESS and its XOR form: zero octet, family, port, address; the XOR form masks port and address with the
/// magic cookie and the transaction id, so that a NAT that rewrites addresses does not change them (RFC 8489 §14.1, §14.2).
/// </summary>
internal static class StunAddressCodec
{
    public const int MaxLength = 20;

    /// <param name="value">The attribute's value.</param>
    /// <param name="message">The message: its octets 4 to 19 are the mask.</param>
    /// <param name="address">The address.</param>
    public static bool TryReadXor(ReadOnlySpan<byte> value, ReadOnlySpan<byte> message, out TransportAddress address)
    {
        address = default;
        if (value.Length < 4) return false;
        var expected = (StunAddressFamily)value[1] switch
        {
            StunAddressFamily.IPv4 => 8,
            StunAddressFamily.IPv6 => 20,
            _ => 0,
        };
        if (value.Length != expected) return false;

        Span<byte> octets = stackalloc byte[16];
        octets = octets[..(expected - 4)];
        value[4..].CopyTo(octets);
        Mask(octets, message);
        var port = BinaryPrimitives.ReadUInt16BigEndian(value[2..]) ^ (StunHeader.MagicCookie >> 16);
        address = new TransportAddress(InternetAddress.FromOctets(octets), (ushort)port);
        return true;
    }

    /// <summary>Writes the XOR form and returns its length, 8 or 20.</summary>
    public static int WriteXor(in TransportAddress address, ReadOnlySpan<byte> message, Span<byte> destination)
    {
        var length = Write(address, destination);
        Mask(destination[4..length], message);
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], (ushort)(address.Port ^ (StunHeader.MagicCookie >> 16)));
        return length;
    }

    /// <summary>Writes the plain form, which ALTERNATE-SERVER uses (RFC 8489 §14.15), and returns its length.</summary>
    public static int Write(in TransportAddress address, Span<byte> destination)
    {
        destination[0] = 0;
        destination[1] = (byte)address.Address.Family;
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], address.Port);
        return 4 + address.Address.CopyTo(destination[4..]);
    }

    private static void Mask(Span<byte> octets, ReadOnlySpan<byte> message)
    {
        for (var i = 0; i < octets.Length; i++) octets[i] ^= message[4 + i];
    }
}
