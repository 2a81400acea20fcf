using System.Buffers.Binary;
using System.Net;

namespace WebRtcIms.Stun.Messages;

/// <summary>
/// Address families as STUN numbers them in MAPPED-ADDRESS and REQUESTED-ADDRESS-FAMILY (RFC 8489 §14.1, RFC 8656 §18.6).
/// </summary>
public enum StunAddressFamily : byte
{
    None = 0,
    IPv4 = 1,
    IPv6 = 2,
}

/// <summary>
/// An IPv4 or IPv6 address as a value: comparing or hashing one needs no heap memory, unlike <see cref="IPAddress"/>.
/// </summary>
public readonly record struct InternetAddress
{
    // Two halves and the family need 24 octets. A UInt128 is aligned to 16 octets, so it would need 32. Servers keep many of these.
    private readonly ulong _high;
    private readonly ulong _low;

    private InternetAddress(StunAddressFamily family, ulong high, ulong low) => (Family, _high, _low) = (family, high, low);

    /// <summary>IPv4 or IPv6; None for the default value.</summary>
    public StunAddressFamily Family { get; }

    /// <summary>The address as a number: 32 significant bits for IPv4, 128 for IPv6.</summary>
    public UInt128 Bits => new(_high, _low);

    /// <summary>An IPv4 address from its 32 bits.</summary>
    public static InternetAddress FromIPv4(uint bits) => new(StunAddressFamily.IPv4, 0, bits);

    /// <summary>An IPv6 address from its 128 bits.</summary>
    public static InternetAddress FromIPv6(UInt128 bits) => new(StunAddressFamily.IPv6, (ulong)(bits >> 64), (ulong)bits);

    /// <summary>Reads four or sixteen octets in network order.</summary>
    public static InternetAddress FromOctets(ReadOnlySpan<byte> octets) => octets.Length == 4
        ? FromIPv4(BinaryPrimitives.ReadUInt32BigEndian(octets))
        : FromIPv6(BinaryPrimitives.ReadUInt128BigEndian(octets));

    public static InternetAddress From(IPAddress address)
    {
        Span<byte> octets = stackalloc byte[16];
        address.TryWriteBytes(octets, out var length);
        return FromOctets(octets[..length]);
    }

    /// <summary>Reads an address from text, or throws <see cref="FormatException"/>.</summary>
    public static InternetAddress Parse(string text) => From(IPAddress.Parse(text));

    // Seeded by the process, so that an attacker cannot cause collisions in a hash table.
    public override int GetHashCode() => HashCode.Combine(_low, _high);

    /// <summary>Writes four or sixteen octets and returns the number.</summary>
    public int CopyTo(Span<byte> destination)
    {
        if (Family == StunAddressFamily.IPv4)
        {
            BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)_low);
            return 4;
        }

        BinaryPrimitives.WriteUInt128BigEndian(destination, Bits);
        return 16;
    }

    public IPAddress ToIPAddress()
    {
        Span<byte> octets = stackalloc byte[16];
        return new IPAddress(octets[..CopyTo(octets)]);
    }

    public override string ToString() => Family == StunAddressFamily.None ? "none" : ToIPAddress().ToString();
}

/// <summary>A transport address: an IP address and a port (RFC 8489 §3).</summary>
public readonly record struct TransportAddress(InternetAddress Address, ushort Port)
{
    public override int GetHashCode() => HashCode.Combine((ulong)Address.Bits, (ulong)(Address.Bits >> 64), Port);

    public static TransportAddress From(IPEndPoint endpoint) => new(InternetAddress.From(endpoint.Address), (ushort)endpoint.Port);

    public IPEndPoint ToIPEndPoint() => new(Address.ToIPAddress(), Port);

    public override string ToString() => Address.Family == StunAddressFamily.IPv6 ? $"[{Address}]:{Port}" : $"{Address}:{Port}";
}
