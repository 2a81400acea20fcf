namespace WebRtcIms.ServiceDefaults.Admission;

/// <summary>The bounds of a <see cref="ConnectionAdmission"/>. An IPv6 address counts as its /64.</summary>
/// <param name="UnauthenticatedPerAddress">
/// Connections of one address that have proved nothing, and as many more with a request in flight.
/// </param>
/// <param name="Unauthenticated">Such connections of all addresses, and as many more with a request in flight.</param>
/// <param name="AuthenticatedPerAddress">Authenticated connections of one address: many people share the address of a NAT.</param>
/// <param name="Total">All connections.</param>
public sealed record ConnectionLimits(int UnauthenticatedPerAddress, int Unauthenticated, int AuthenticatedPerAddress, int Total)
{
    /// <summary>The sockets that are open at a time: the total, and those that have given way and are still being closed.</summary>
    public int MostOpen => Total + Math.Min(Total, 64);

    /// <summary>The same limits, lowered so that no more sockets than this are open.</summary>
    public ConnectionLimits Within(int sockets) =>
        MostOpen <= sockets ? this : this with { Total = Math.Max(1, Math.Max(sockets / 2, sockets - 64)) };
}
