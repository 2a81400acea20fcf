using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Allocations;

/// <summary>
/// A Refresh with another token than the allocation's (RFC 7635 §9). The token is valid, but only the host may know whether its holder is
/// the allocation's user. The host calls <see cref="TurnEngine.CompleteRenewal"/> in every case.
/// </summary>
public sealed record PendingRenewal(
    Allocation Allocation, ClientFlow Client, Proof Proof, TransactionId TransactionId, StunAddressFamily Family,
    uint LifetimeSeconds, bool WithFingerprint);
