using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Turn.Engine.Allocations;

/// <summary>Leave for one IP address, whatever its port, to reach the client through the relay (RFC 8656 §9).</summary>
internal sealed class Permission(InternetAddress peer)
{
    /// <summary>Fixed by RFC 8656 §9; only CreatePermission and ChannelBind start it anew, never data.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(300);

    public InternetAddress Peer { get; } = peer;

    public long ExpiresAt { get; set; }

    public bool IsLive(long now) => now < ExpiresAt;
}
