namespace WebRtcIms.Turn.Engine.Primitives;

/// <summary>Why a packet was dropped: the label of a counter.</summary>
public enum DropReason : byte
{
    None,
    Malformed,
    WrongFingerprint,
    UnexpectedMessage,
    UnknownAttributeInIndication,
    NoAllocation,
    NoPermission,
    UnboundChannel,
    PeerForbidden,
    Busy,

    /// <summary>The address has had its share of unauthenticated answers.</summary>
    OverBudget,

    /// <summary>The allocation has relayed as much as it may (Turn:Quotas:PacketsPerSecond, BytesPerSecond).</summary>
    OverLimit,

    /// <summary>The source address is the server itself, a multicast address, or not an address of a host.</summary>
    SourceForbidden,

    /// <summary>An exception: a bug, which the log has.</summary>
    Failed,

    /// <summary>The kernel did not take it: its queue is full, or there is no route.</summary>
    NotSent,
}
