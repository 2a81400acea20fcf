using System.Collections.Concurrent;
using System.Security.Cryptography;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Mobility;

/// <summary>
/// Which engine has which mobile allocation. Shared by all engines of a server: a client that has moved has another 5-tuple,
/// whose packets the kernel may give to another worker, and that one hands them over.
/// </summary>
/// <param name="tickets">Null when mobility is forbidden (RFC 8016 §3.1.2).</param>
public sealed class MobileAllocations(MobilityTickets? tickets = null)
{
    private readonly ConcurrentDictionary<ulong, int> _engines = new();
    private readonly ConcurrentDictionary<FiveTuple, int> _flows = new();

    /// <summary>Seals and opens tickets; null when mobility is forbidden, so that a ticket is refused with 405.</summary>
    public MobilityTickets? Tickets { get; } = tickets;

    /// <summary>Flows that mobile clients have moved to.</summary>
    public int FlowCount => _flows.Count;

    /// <summary>Mobile allocations of all engines.</summary>
    public int Count => _engines.Count;

    /// <summary>A number for a new mobile allocation of this engine.</summary>
    public ulong Add(int engine)
    {
        ulong id;
        do id = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        while (!_engines.TryAdd(id, engine));
        return id;
    }

    /// <summary>Removes a mobile allocation by its number; does nothing when it is unknown.</summary>
    public void Remove(ulong id) => _engines.TryRemove(id, out _);

    /// <summary>The engine that has the allocation with this number; null when it is unknown.</summary>
    public int? EngineOf(ulong id) => _engines.TryGetValue(id, out var engine) ? engine : null;

    /// <summary>Records that an engine has the allocation whose client has moved to this 5-tuple.</summary>
    public void Add(in FiveTuple flow, int engine) => _flows[flow] = engine;

    /// <summary>Removes a 5-tuple; does nothing when it is unknown.</summary>
    public void Remove(in FiveTuple flow) => _flows.TryRemove(flow, out _);

    /// <summary>The engine whose client has moved to this 5-tuple; null when none has.</summary>
    public int? EngineOf(in FiveTuple flow) => _flows.TryGetValue(flow, out var engine) ? engine : null;
}
