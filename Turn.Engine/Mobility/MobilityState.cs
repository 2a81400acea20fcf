using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Mobility;

/// <summary>What lets one allocation follow its client to another address (RFC 8016).</summary>
internal sealed class MobilityState(ulong id, byte[] ticket)
{
    /// <summary>How long a retransmitted Refresh with a ticket that has been used gets its answer again (RFC 8016 §3.2.2).</summary>
    public static readonly TimeSpan OldTicketLifetime = TimeSpan.FromSeconds(30);

    /// <summary>What the tickets name: random, so that no two of a fleet are alike.</summary>
    public ulong Id { get; } = id;

    /// <summary>How often the client has moved; a ticket serves for the move that it was sealed for.</summary>
    public uint Moves { get; set; }

    /// <summary>The ticket of the last answer.</summary>
    public byte[] Ticket { get; set; } = ticket;

    /// <summary>
    /// Where the client has moved to. The way before serves until the first data comes from there (RFC 8016 §3.2.2).
    /// </summary>
    public ClientFlow? Next { get; set; }

    public Move? LastMove { get; set; }
}

/// <summary>A Refresh that moved an allocation, and what it was answered.</summary>
internal sealed record Move(TransactionId TransactionId, FiveTuple FiveTuple, long At, uint Lifetime, byte[] Ticket);
