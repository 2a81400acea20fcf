namespace WebRtcIms.Turn.Engine.Primitives;

/// <summary>Why a packet was dropped: the label of a counter.</summary>
public enum DropReason : byte
{
    /// <summary>Not dropped.</summary>
    None,

    /// <summary>Neither STUN nor ChannelData, or a field that cannot be read or relayed.</summary>
    Malformed,

    /// <summary>FINGERPRINT does not match the message (RFC 8489 §14.7).</summary>
    WrongFingerprint,

    /// <summary>A method, class or ICMP type that the receiver does not handle.</summary>
    UnexpectedMessage,

    /// <summary>An indication with an unknown comprehension-required attribute (RFC 8489 §6.3.2).</summary>
    UnknownAttributeInIndication,

    /// <summary>The 5-tuple has no allocation, or it has expired.</summary>
    NoAllocation,

    /// <summary>The peer's address has no live permission (RFC 8656 §9).</summary>
    NoPermission,

    /// <summary>The channel number is not bound, or its binding has expired (RFC 8656 §12.6).</summary>
    UnboundChannel,

    /// <summary>The peer is at this machine and is not a live relay, has port 0, or is of a family without a relay.</summary>
    PeerForbidden,

    /// <summary>A request of this 5-tuple is still being decided; its answer also serves this one.</summary>
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
