using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Allocations;

/// <summary>
/// An Allocate that the rules allow and that now needs what the engine cannot do: the shared caches asked and sockets
/// bound. The host does both and calls <see cref="TurnEngine.Complete"/>, whatever came of it.
/// </summary>
public sealed record PendingAllocation(
    FiveTuple FiveTuple,
    ClientPath Path,
    Proof Proof,
    TransactionId TransactionId,
    uint LifetimeSeconds,
    RelayRequest Relays,
    Relay? Reserved)
{
    /// <summary>Set when one of two wanted families is not to be had: the answer says so in ADDRESS-ERROR-CODE.</summary>
    public StunAddressFamily RefusedFamily { get; init; }

    /// <summary>The request had a MOBILITY-TICKET, and so will the answer (RFC 8016 §3.1.2).</summary>
    public bool IsMobile { get; init; }

    /// <summary>The request had a FINGERPRINT, and so will the answer.</summary>
    public bool WithFingerprint { get; init; }
}
