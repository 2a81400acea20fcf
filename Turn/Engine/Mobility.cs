using System.Collections.Concurrent;
using System.Security.Cryptography;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Authorization;

namespace WebRtcIms.Turn.Engine;

/// <summary>What lets one allocation follow its client to another address (RFC 8016).</summary>
internal sealed class Mobility(ulong id, byte[] ticket)
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

/// <summary>
/// Which engine has which mobile allocation. Shared by all engines of a server: a client that has moved has another 5-tuple,
/// whose packets the kernel may give to another worker, and that one hands them over.
/// </summary>
/// <param name="tickets">Null when mobility is forbidden (RFC 8016 §3.1.2).</param>
internal sealed class MobileAllocations(MobilityTickets? tickets = null)
{
    private readonly ConcurrentDictionary<ulong, int> _engines = new();
    private readonly ConcurrentDictionary<FiveTuple, int> _flows = new();

    public MobilityTickets? Tickets { get; } = tickets;

    /// <summary>Flows that mobile clients have moved to.</summary>
    public int FlowCount => _flows.Count;

    public int Count => _engines.Count;

    /// <summary>A number for a new mobile allocation of this engine.</summary>
    public ulong Add(int engine)
    {
        ulong id;
        do id = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        while (!_engines.TryAdd(id, engine));
        return id;
    }

    public void Remove(ulong id) => _engines.TryRemove(id, out _);

    public int? EngineOf(ulong id) => _engines.TryGetValue(id, out var engine) ? engine : null;

    public void Add(in FiveTuple flow, int engine) => _flows[flow] = engine;

    public void Remove(in FiveTuple flow) => _flows.TryRemove(flow, out _);

    public int? EngineOf(in FiveTuple flow) => _flows.TryGetValue(flow, out var engine) ? engine : null;
}
