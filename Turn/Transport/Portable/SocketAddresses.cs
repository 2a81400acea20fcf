using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Transport.Portable;

/// <summary>
/// Converts between <see cref="TransportAddress"/> and the operating system's socket address without heap memory: a
/// <see cref="SocketAddress"/> is made once and rewritten for each datagram.
/// </summary>
internal static class SocketAddresses
{
    // Every system that .NET runs on puts the port at 2, an IPv4 address at 4 and an IPv6 address at 8.
    private const int PortOffset = 2;
    private const int IPv4Offset = 4;
    private const int IPv6Offset = 8;

    public static SocketAddress Create(AddressFamily family) =>
        new IPEndPoint(family == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, 0).Serialize();

    public static TransportAddress Read(SocketAddress address)
    {
        var octets = address.Buffer.Span;
        var port = BinaryPrimitives.ReadUInt16BigEndian(octets[PortOffset..]);
        return address.Family == AddressFamily.InterNetworkV6
            ? new TransportAddress(InternetAddress.FromOctets(octets.Slice(IPv6Offset, 16)), port)
            : new TransportAddress(InternetAddress.FromOctets(octets.Slice(IPv4Offset, 4)), port);
    }

    /// <summary>The address must be of the family that <paramref name="destination"/> was made for.</summary>
    public static void Write(in TransportAddress address, SocketAddress destination)
    {
        var octets = destination.Buffer.Span;
        BinaryPrimitives.WriteUInt16BigEndian(octets[PortOffset..], address.Port);
        address.Address.CopyTo(octets[(address.Address.Family == StunAddressFamily.IPv6 ? IPv6Offset : IPv4Offset)..]);
    }
}
