using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Engine.Allocations;

/// <summary>A channel number that stands for one peer's transport address (RFC 8656 §12).</summary>
internal sealed class ChannelBinding(ushort number, TransportAddress peer, Permission permission)
{
    /// <summary>How long a binding lives without another ChannelBind (RFC 8656 §12).</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(600);

    /// <summary>
    /// How long after its end neither number nor peer may be bound otherwise, so that datagrams on their way are not taken
    /// for those of another peer (RFC 8656 §12).
    /// </summary>
    public static readonly TimeSpan CoolDown = TimeSpan.FromSeconds(300);

    public ushort Number { get; } = number;

    public TransportAddress Peer { get; } = peer;

    /// <summary>The peer's permission, held here so that the relay path needs no second look-up.</summary>
    public Permission Permission { get; } = permission;

    /// <summary>The relay of this server that the peer must be, for each datagram; null for a peer at another machine.</summary>
    public TransportAddress? Relay { get; set; }

    public long ExpiresAt { get; set; }

    public bool IsLive(long now) => now < ExpiresAt;

    public bool HoldsItsNumber(long now) => now < ExpiresAt + (long)CoolDown.TotalMilliseconds;
}
