using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Engine.Allocations;

/// <summary>
/// A bound relayed transport address. The engine keeps it with the allocation; its host binds, sends and closes.
/// </summary>
public abstract class Relay(TransportAddress bound, TransportAddress advertised) : IDisposable
{
    /// <summary>Where the socket is bound.</summary>
    public TransportAddress Bound { get; } = bound;

    /// <summary>What clients and peers are told: another address than the bound one behind a one-to-one NAT.</summary>
    public TransportAddress Advertised { get; } = advertised;

    /// <summary>Sends one datagram to a peer. Never waits and never throws. The server's gate is held.</summary>
    public abstract void Send(in TransportAddress peer, ReadOnlySpan<byte> payload);

    /// <summary>
    /// The same with DF set in the IPv4 header (RFC 8656 §14). Asked for only where <see cref="EngineSettings.DontFragment"/> says
    /// that it can be had.
    /// </summary>
    public abstract void SendUnfragmented(in TransportAddress peer, ReadOnlySpan<byte> payload);

    /// <summary>Gives the port back.</summary>
    public abstract void Dispose();
}

/// <summary>Which relayed transport addresses an Allocate asks for.</summary>
/// <param name="IPv4">An IPv4 address is wanted.</param>
/// <param name="IPv6">An IPv6 address is wanted.</param>
/// <param name="EvenPort">The port must be even (RFC 8656 §18.7).</param>
/// <param name="ReserveNext">Bind the next higher port also, and reserve it.</param>
public readonly record struct RelayRequest(bool IPv4, bool IPv6, bool EvenPort, bool ReserveNext)
{
    /// <summary>The address is for TCP connections rather than datagrams (RFC 6062).</summary>
    public bool IsTcp { get; init; }
}

/// <summary>
/// The answer to a <see cref="PendingAllocation"/>: either an error, or the relays that were bound for it.
/// </summary>
public readonly record struct AllocationDecision(
    StunError Error, Relay? IPv4 = null, Relay? IPv6 = null, Relay? Reserved = null, object? Lease = null)
{
    /// <summary>Where a client that is refused with 300 should go (RFC 8489 §10).</summary>
    public TransportAddress? AlternateServer { get; init; }

    /// <summary>
    /// What the allocation may relay, as its grant says; null for the limits of the server. It never gets more than these.
    /// </summary>
    public TrafficLimits? Traffic { get; init; }

    /// <summary>The traffic of all allocations of this user; null when they are not metered together.</summary>
    public SharedTraffic? UserTraffic { get; init; }

    /// <summary>The traffic of all allocations of this client address; null when they are not metered together.</summary>
    public SharedTraffic? AddressTraffic { get; init; }

    /// <summary>The relay that a RESERVATION-TOKEN brought, as the relay of its own family.</summary>
    public static AllocationDecision Of(Relay relay) => relay.Bound.Address.Family == StunAddressFamily.IPv6
        ? new(StunError.None, IPv6: relay)
        : new(StunError.None, IPv4: relay);
}
