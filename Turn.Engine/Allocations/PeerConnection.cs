using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Authentication;

namespace WebRtcIms.Turn.Engine.Allocations;

/// <summary>
/// A TCP connection between a relayed transport address and a peer (RFC 6062 §3: a peer data connection), from the Connect that
/// asks for it, or from its arrival, to its end.
/// </summary>
public sealed class PeerConnection(Allocation allocation, TransportAddress peer)
{
    /// <summary>A connection that no ConnectionBind has asked for after this time is closed (RFC 6062 §5.2, §5.3).</summary>
    public static readonly TimeSpan BindTime = TimeSpan.FromSeconds(30);

    /// <summary>The TCP allocation that the connection belongs to.</summary>
    public Allocation Allocation { get; } = allocation;

    /// <summary>The peer's end. An allocation has at most one connection to it (RFC 6062 §5.2).</summary>
    public TransportAddress Peer { get; } = peer;

    /// <summary>The Connect that waits for its answer; null for a connection that the peer opened.</summary>
    internal ConnectRequest? Request { get; init; }

    /// <summary>CONNECTION-ID (RFC 6062 §6.2.1); 0 until the connection stands.</summary>
    public uint Id { get; internal set; }

    /// <summary>Null until the connection stands.</summary>
    public PeerTransport? Stream { get; internal set; }

    /// <summary>When it is closed unless it has been bound.</summary>
    internal long ExpiresAt { get; set; }

    /// <summary>Whether it may still be bound.</summary>
    public bool IsLive(long now) => now < ExpiresAt && now < Allocation.ExpiresAt;
}

/// <summary>What the answer to a Connect is made from.</summary>
internal sealed record ConnectRequest(TransactionId TransactionId, Proof Proof, bool WithFingerprint);

/// <summary>The octets of a connection with a peer. The engine keeps it; its host reads, writes and closes.</summary>
public abstract class PeerTransport : IDisposable
{
    /// <summary>Ends the connection.</summary>
    public abstract void Dispose();
}
