using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine;

/// <summary>What is to be done with a packet.</summary>
public enum OutcomeKind : byte
{
    /// <summary>Nothing: it is dropped in silence.</summary>
    Drop,

    /// <summary>Send the octets in the output buffer to where the packet came from.</summary>
    Reply,

    /// <summary>Send a part of the packet from the allocation's relay to the peer.</summary>
    ToPeer,

    /// <summary>Send a part of the buffer to the allocation's client.</summary>
    ToClient,

    /// <summary>Decide the pending allocation, then call <see cref="TurnEngine.Complete"/>.</summary>
    Decide,

    /// <summary>Give the packet to another engine of this server: its allocation's client has moved to this one's sockets.</summary>
    HandOver,

    /// <summary>Open a connection to a peer, then call <see cref="TurnEngine.CompleteConnect"/> (RFC 6062 §5.2).</summary>
    Connect,

    /// <summary>
    /// Send the reply; from then on the stream carries no messages but the octets of a connection with a peer (RFC 6062 §5.4).
    /// </summary>
    Bind,

    /// <summary>Decide whether another token may renew the allocation, then call <see cref="TurnEngine.CompleteRenewal"/>.</summary>
    Renew,
}

/// <summary>The engine's answer to one packet. A value: the relay path makes no garbage.</summary>
public readonly record struct Outcome(OutcomeKind Kind)
{
    /// <summary>Why the packet is dropped (Drop); None otherwise.</summary>
    public DropReason DropReason { get; private init; }

    /// <summary>Where the octets to send begin, in the packet (ToPeer) or in the buffer (Reply, ToClient), and how many they are.</summary>
    public int Offset { get; private init; }

    /// <inheritdoc cref="Offset"/>
    public int Length { get; private init; }

    /// <summary>The allocation that the packet belongs to; null when there is none or when none is affected.</summary>
    public Allocation? Allocation { get; init; }

    /// <summary>The relay to send from (ToPeer).</summary>
    public Relay? Relay { get; private init; }

    /// <summary>The datagram must not be fragmented on its way (ToPeer).</summary>
    public bool DontFragment { get; private init; }

    /// <summary>Where to send to (ToPeer) or to connect to (Connect): the peer, or where a relay of this server is bound.</summary>
    public TransportAddress Peer { get; private init; }

    /// <summary>The request to decide (Decide); null otherwise.</summary>
    public PendingAllocation? Pending { get; private init; }

    /// <summary>The renewal to decide (Renew); null otherwise.</summary>
    public PendingRenewal? Renewal { get; private init; }

    /// <summary>The number of the engine to hand over to.</summary>
    public ushort Engine { get; private init; }

    /// <summary>The connection with a peer that is to be opened (Connect) or carried (Bind).</summary>
    public PeerConnection? Connection { get; private init; }

    /// <summary>The method and result of a request, for counters and spans.</summary>
    public StunMethod Method { get; private init; }

    /// <inheritdoc cref="Method"/>
    public StunError Error { get; private init; }

    /// <summary>Drop the packet.</summary>
    public static Outcome Drop(DropReason reason) => new(OutcomeKind.Drop) { DropReason = reason };

    /// <summary>Send the first <paramref name="length"/> octets of the output buffer back.</summary>
    public static Outcome Reply(int length, StunMethod method, StunError error) =>
        new(OutcomeKind.Reply) { Length = length, Method = method, Error = error };

    /// <summary>Send <paramref name="length"/> octets of the packet, from <paramref name="offset"/> on, to a peer.</summary>
    public static Outcome ToPeer(Allocation allocation, Relay relay, in TransportAddress peer, int offset, int length, bool dontFragment) =>
        new(OutcomeKind.ToPeer)
        {
            Allocation = allocation,
            Relay = relay,
            Peer = peer,
            Offset = offset,
            Length = length,
            DontFragment = dontFragment
        };

    /// <summary>
    /// Send <paramref name="length"/> octets of the buffer, from <paramref name="offset"/> on, to the allocation's client.
    /// </summary>
    public static Outcome ToClient(Allocation allocation, int offset, int length) =>
        new(OutcomeKind.ToClient) { Allocation = allocation, Offset = offset, Length = length };

    /// <summary>Give the packet to the engine with this number.</summary>
    public static Outcome HandOver(int engine) => new(OutcomeKind.HandOver) { Engine = (ushort)engine };

    /// <summary>Open the connection (RFC 6062 §5.2).</summary>
    public static Outcome Connect(PeerConnection connection, in TransportAddress to) =>
        new(OutcomeKind.Connect) { Connection = connection, Peer = to };

    /// <summary>Send the reply, then carry the octets of the connection (RFC 6062 §5.4).</summary>
    public static Outcome Bind(PeerConnection connection, in Outcome reply) =>
        reply with { Kind = OutcomeKind.Bind, Connection = connection };

    /// <summary>Decide an Allocate.</summary>
    public static Outcome Decide(PendingAllocation pending) => new(OutcomeKind.Decide) { Pending = pending };

    /// <summary>Decide a Refresh with another token.</summary>
    public static Outcome Renew(PendingRenewal renewal) => new(OutcomeKind.Renew) { Renewal = renewal };
}
