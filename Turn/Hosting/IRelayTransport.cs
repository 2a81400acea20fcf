using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Hosting;

/// <summary>Opens the relays of an engine's allocations: they are bound first and started once the allocation is made.</summary>
internal interface IRelayTransport
{
    /// <summary>Binds the relays of an Allocate, or fails with 508 and leaves nothing bound.</summary>
    AllocationDecision Bind(RelayRequest request);

    /// <summary>Delivers what peers send to the allocation from now on. The host's gate is held.</summary>
    void Start(Relay relay, Allocation allocation);

    /// <summary>
    /// The way back to a client whose packet another worker has handed over: by a socket of this transport's own when the
    /// given path is a socket that only the other one may use.
    /// </summary>
    ClientPath PathFor(in FiveTuple flow, ClientPath path);
}
