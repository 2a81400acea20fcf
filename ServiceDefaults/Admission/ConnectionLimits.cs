namespace WebRtcIms.ServiceDefaults.Admission;

/// <summary>The bounds of a <see cref="ConnectionAdmission"/>. An IPv6 address counts as its /64.</summary>
/// <param name="UnauthenticatedPerAddress">Connections of one address that have proved nothing.</param>
/// <param name="Unauthenticated">Such connections of all addresses.</param>
/// <param name="AuthenticatedPerAddress">Authenticated connections of one address: many people share the address of a NAT.</param>
/// <param name="Total">All connections.</param>
public sealed record ConnectionLimits(int UnauthenticatedPerAddress, int Unauthenticated, int AuthenticatedPerAddress, int Total);
