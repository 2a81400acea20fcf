using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Hosting;

/// <summary>Opens the relays of an engine's allocations: they are bound first and started once the allocation is made.</summary>
internal interface IRelayTransport
{
    /// <summary>Binds the relays of an Allocate, or fails with 508 and leaves nothing bound.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="server">The address of this server that the client used.</param>
    AllocationDecision Bind(RelayRequest request, InternetAddress server);

    /// <summary>Delivers what peers send to the allocation from now on. The host's gate is held.</summary>
    void Start(Relay relay, Allocation allocation);

    /// <summary>
    /// The path back to a client whose packet another worker has handed over: a socket of this transport, if only the other worker may
    /// use the given one.
    /// </summary>
    ClientPath PathFor(in FiveTuple flow, ClientPath path);
}
