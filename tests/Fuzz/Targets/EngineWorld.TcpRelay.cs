using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Fuzz.Targets;

/// <summary>Connections with peers (RFC 6062): opened and refused, taken, bound to a stream of the client, and ended.</summary>
internal sealed partial class EngineWorld
{
    private readonly UnboundConnections _unbound;
    private readonly List<FakePeerTransport> _streams = [];
    private readonly List<PeerConnection> _connecting = [];
    private readonly Dictionary<FiveTuple, PeerConnection> _bound = [];
    private readonly HashSet<PeerConnection> _everBound = new(ReferenceEqualityComparer.Instance);

    /// <summary>What clients were told of, with the time until which it may be bound.</summary>
    private readonly List<(uint Id, PeerConnection Connection, long Until)> _offers = [];

    private uint _nextConnection;

    /// <summary>What came of a Connect: the peer has answered, or it has not.</summary>
    public void CompleteConnect(byte index, bool succeeds)
    {
        if (_connecting.Count == 0) return;
        var connection = _connecting[index % _connecting.Count];
        _connecting.Remove(connection);
        Complete(connection, succeeds);
    }

    /// <summary>A peer connects to a relay, at times to one that has just ended.</summary>
    public void PeerConnects(byte index, byte peerIndex)
    {
        var relays = _books.Keys.Where(allocation => allocation.PeerConnections is not null).ToList();
        if (relays.Count == 0) return;
        var allocation = relays[index % relays.Count];
        var peer = Peers[peerIndex % Peers.Length];
        if (allocation.RelayFor(peer.Address.Family) is null) return;

        var stream = NewStream();
        var outcome = EngineOf(allocation).HandlePeerConnection(allocation, peer, stream, _time, _reply);
        TidyUp();
        if (outcome.Kind == OutcomeKind.Drop)
        {
            Check(stream.Closed == 1, "a peer's connection that nobody is told of is closed");
            return;
        }

        Check(outcome.Kind == OutcomeKind.ToClient
            && _live.Contains(allocation), "a peer's connection is its client's affair, or nobody's");
        Check(_time.Milliseconds < allocation.ExpiresAt && IsPermitted(allocation, peer.Address), "no peer connects without a permission");
        var attempt = Read(_reply.AsSpan(outcome.Offset, outcome.Length));
        Check(attempt is { Method: StunMethod.ConnectionAttempt, Class: StunClass.Indication }, "it is a ConnectionAttempt");
        Check(attempt.TryGetXorAddress(StunAttributeType.XorPeerAddress, out var named) && named == peer, "the attempt names the peer");
        Offer(attempt, allocation.PeerConnections![peer]);
    }

    private void Complete(PeerConnection connection, bool succeeds)
    {
        var isWanted = _live.Contains(connection.Allocation);
        var stream = succeeds ? NewStream() : null;
        var outcome = EngineOf(connection.Allocation).CompleteConnect(connection, stream, _time, _reply);
        TidyUp();
        Check(outcome.Kind == (isWanted ? OutcomeKind.Reply : OutcomeKind.Drop), "a Connect is answered while its allocation lives");
        if (outcome.Kind == OutcomeKind.Drop) return;

        var reply = Read(_reply.AsSpan(0, outcome.Length));
        Check(reply.Method == StunMethod.Connect
            && reply.TransactionId == connection.Request!.TransactionId, "the answer is the Connect's");
        Check(reply.Class == (succeeds ? StunClass.SuccessResponse : StunClass.ErrorResponse), "the answer is what came of it");
        if (succeeds) Offer(reply, connection);
    }

    private FakePeerTransport NewStream()
    {
        var stream = new FakePeerTransport();
        _streams.Add(stream);
        return stream;
    }

    private void Offer(in StunMessageReader message, PeerConnection connection)
    {
        Check(message.TryGetUInt32(StunAttributeType.ConnectionId, out var id) && id == connection.Id, "the connection's number is told");
        _offers.Add((id, connection, _time.After(PeerConnection.BindTime)));
    }

    private void CheckConnect(in FiveTuple flow, PeerConnection connection)
    {
        var (allocation, peer) = (connection.Allocation, connection.Peer);
        Check(IsWayOf(allocation, flow), "it is the client's own, live allocation");
        Check(peer.Port != 0 && peer != OwnAddress && Policy.Allows(peer.Address), "the peer may be connected to");
        Check(allocation.RelayFor(peer.Address.Family) is { } relay
            && relay.Bound != peer, "the relay is of the peer's family, and not the peer");
        _connecting.Add(connection);
    }

    private void CheckBind(ReadOnlySpan<byte> packet, in FiveTuple flow, in Outcome outcome)
    {
        CheckReply(packet, flow, outcome);
        var request = Read(packet);
        var (connection, used) = (outcome.Connection!, flow);
        Check(request.TryGetUInt32(StunAttributeType.ConnectionId, out var id), "a ConnectionBind names a connection");
        var offer = _offers.Find(offer => offer.Id == id);
        Check(offer.Connection == connection, "it is the connection that was named");
        Check(_everBound.Add(connection), "a connection is bound once");
        Check(_live.Contains(connection.Allocation) && _time.Milliseconds < connection.Allocation.ExpiresAt, "its allocation lives");
        Check(_time.Milliseconds < offer.Until && connection.Stream is FakePeerTransport { Closed: 0 }, "it still waited to be bound");
        Check(request.TryGet(StunAttributeType.Username, out var name)
            && name.SequenceEqual(connection.Allocation.Credential.Username), "the client is the allocation's");
        Check(flow.IsStream && !_live.Exists(allocation => IsAt(allocation, used)), "the stream carries nothing else");
        _bound.Add(flow, connection);
    }

    /// <summary>A stream that carried a peer's octets has ended, or the peer's connection has: the host ends the other one.</summary>
    private void EndData(in FiveTuple flow)
    {
        if (!_bound.Remove(flow, out var connection)) return;
        EngineOf(connection.Allocation).PeerConnectionClosed(connection);
        TidyUp();
        Check(connection.Stream is FakePeerTransport { Closed: 1 }, "a peer's connection ends with the client's");
    }

    private void EndDataOfClosedStreams()
    {
        var ended = _bound.Where(bound => bound.Value.Stream is FakePeerTransport { Closed: > 0 }).Select(bound => bound.Key);
        foreach (var flow in ended.ToList())
        {
            EndData(flow);
            CloseAtEngines(flow);
        }
    }

    private void CheckConnections()
    {
        var ofLive = _live.SelectMany(allocation => allocation.PeerConnections?.Values.ToList() ?? []).ToList();
        Check(_streams.Count(stream => stream.Closed == 0) == ofLive.Count(connection => connection.Stream is not null),
            "connections with peers are those of the live allocations");
        Check(_streams.TrueForAll(stream => stream.Closed <= 1), "no connection with a peer is closed twice");
        foreach (var allocation in _live.Where(allocation => allocation.PeerConnections is not null))
        {
            Check(allocation.PeerConnections!.Count <= MaxPeerConnections, "connections with peers are bounded");
            Check(allocation.FiveTuple.IsStream && allocation.Mobility?.Next?.FiveTuple.IsStream is null
                or true, "a TCP allocation is controlled by a stream");
        }

        foreach (var (id, connection, _) in _offers)
        {
            var waits = connection.Stream is FakePeerTransport { Closed: 0 } && !_everBound.Contains(connection);
            Check(_unbound.Find(id) == (waits ? connection : null), "what waits to be bound is what is open and not bound");
        }
    }
}
