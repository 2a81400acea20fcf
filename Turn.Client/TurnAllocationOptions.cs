namespace WebRtcIms.Turn.Client;

/// <summary>Options of an Allocate request (RFC 8656 §7.1).</summary>
public sealed class TurnAllocationOptions
{
    private const byte UdpProtocolNumber = 17;

    /// <summary>
    /// How long the allocation should last without a Refresh, at least a second. If null, the server chooses. Every Refresh asks
    /// for it again.
    /// </summary>
    public TimeSpan? Lifetime
    {
        get;
        init
        {
            if (value is { } lifetime) ArgumentOutOfRangeException.ThrowIfLessThan(lifetime, TimeSpan.FromSeconds(1), nameof(Lifetime));
            field = value;
        }
    }

    /// <summary>The family of the relayed transport address. If null, the server chooses; its default is IPv4.</summary>
    public AddressFamily? AddressFamily { get; init; }

    internal void Write(ref StunMessageWriter request)
    {
        request.Write(StunAttributeType.RequestedTransport, [UdpProtocolNumber, 0, 0, 0]);
        if (Lifetime is { } lifetime) request.WriteUInt32(StunAttributeType.Lifetime, (uint)lifetime.TotalSeconds);
        if (AddressFamily is not { } family) return;
        var number = family == System.Net.Sockets.AddressFamily.InterNetworkV6 ? StunAddressFamily.IPv6 : StunAddressFamily.IPv4;
        request.Write(StunAttributeType.RequestedAddressFamily, [(byte)number, 0, 0, 0]);
    }
}

/// <summary>The addresses and the lifetime in the answer to an Allocate request.</summary>
internal sealed record AllocationGrant(IPEndPoint Relayed, IPEndPoint Mapped, TimeSpan Lifetime);
