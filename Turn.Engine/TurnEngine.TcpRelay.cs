using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine;

/// <summary>
/// TCP allocations (RFC 6062): Connect, ConnectionAttempt and ConnectionBind. After a ConnectionBind the stream has no messages;
/// the host carries those octets both ways.
/// </summary>
public sealed partial class TurnEngine
{
    private const byte TcpProtocolNumber = 6;

    private readonly List<PeerConnection> _waitingForBind = [];

    /// <summary>Connections of peers that have no purpose any more; the host closes them and clears the list.</summary>
    public List<PeerTransport> PeerTransportsToClose { get; } = [];

    /// <summary>RFC 6062 §5.1: over TCP and TLS only, and without what makes sense for datagrams alone.</summary>
    private StunError ReadTcpRelayRequest(in StunMessageReader request, in FiveTuple flow, out RelayRequest relays)
    {
        relays = default;
        if (!settings.TcpRelays) return StunError.UnsupportedTransportProtocol;
        if (!flow.IsStream) return StunError.BadRequest;
        if (request.Has(StunAttributeType.DontFragment) || request.Has(StunAttributeType.EvenPort)) return StunError.BadRequest;
        if (request.Has(StunAttributeType.ReservationToken) || request.Has(StunAttributeType.AdditionalAddressFamily))
            return StunError.BadRequest;

        var family = DefaultFamily(flow);
        var hasFamily = request.Has(StunAttributeType.RequestedAddressFamily);
        if (hasFamily && !TryReadFamily(request, StunAttributeType.RequestedAddressFamily, out family))
            return StunError.AddressFamilyNotSupported;
        if (!Relays(family)) return StunError.AddressFamilyNotSupported;
        relays =
            new RelayRequest(
                family == StunAddressFamily.IPv4, family == StunAddressFamily.IPv6, EvenPort: false, ReserveNext: false)
            { IsTcp = true };
        return StunError.None;
    }

    /// <summary>RFC 6062 §5.2. The host opens the connection and calls <see cref="CompleteConnect"/>, whatever came of it.</summary>
    private Outcome HandleConnect(in StunMessageReader request, Allocation allocation, in Proof proof, Span<byte> reply)
    {
        if (allocation.PeerConnections is not { } connections) return Refuse(request, StunError.AllocationMismatch, proof, reply);
        if (!request.TryGetXorAddress(StunAttributeType.XorPeerAddress, out var peer) || peer.Port == 0)
            return Refuse(request, StunError.BadRequest, proof, reply);

        var error = IsOwnRelay(allocation, peer) ? StunError.Forbidden : CheckPeer(allocation, peer);
        if (error == StunError.None && connections.ContainsKey(peer)) error = StunError.ConnectionAlreadyExists;
        if (error == StunError.None && connections.Count >= settings.MaxPeerConnections) error = StunError.InsufficientCapacity;
        if (error != StunError.None) return Refuse(request, error, proof, reply);

        var connection = new PeerConnection(allocation, peer)
        {
            Request = new ConnectRequest(request.TransactionId, proof, request.HasFingerprint),
        };
        connections.Add(peer, connection);
        return Outcome.Connect(connection, peerPolicy.Relays.BoundOf(peer, isTcp: true));
    }

    // TCP allows a connection from an address to itself. For a relay it is never useful.
    private static bool IsOwnRelay(Allocation allocation, in TransportAddress peer) =>
        allocation.RelayFor(peer.Address.Family) is { } relay && (peer == relay.Advertised || peer == relay.Bound);

    /// <summary>Ends what HandleConnect began.</summary>
    /// <param name="connection">What <see cref="Outcome.Connection"/> gave.</param>
    /// <param name="stream">The connection that stands, or null: it was refused, or has timed out.</param>
    /// <param name="time">Now.</param>
    /// <param name="reply">At least <see cref="ReplyBufferLength"/> octets.</param>
    public Outcome CompleteConnect(PeerConnection connection, PeerTransport? stream, EngineTime time, Span<byte> reply)
    {
        var connections = connection.Allocation.PeerConnections!;
        if (connections.GetValueOrDefault(connection.Peer) != connection)
        {
            // The allocation has ended meanwhile.
            if (stream is not null) PeerTransportsToClose.Add(stream);
            return Outcome.Drop(DropReason.NoAllocation);
        }

        var error = stream is null ? StunError.ConnectionTimeoutOrFailure : StunError.None;
        var (transaction, proof, withFingerprint) = connection.Request!;
        var response = new StunMessageWriter(
            reply, StunMethod.Connect, stream is null ? StunClass.ErrorResponse : StunClass.SuccessResponse, transaction);
        if (stream is null)
        {
            connections.Remove(connection.Peer);
            response.WriteErrorCode(error);
        }
        else
        {
            WaitForBind(connection, stream, time);
            response.WriteUInt32(StunAttributeType.ConnectionId, connection.Id);
        }

        response.Write(StunAttributeType.Software, _software);
        proof.Sign(ref response);
        if (withFingerprint) response.AddFingerprint();
        return Outcome.Reply(response.Length, StunMethod.Connect, error) with { Allocation = connection.Allocation };
    }

    /// <summary>
    /// A peer has connected to a relay: the client is told in a ConnectionAttempt, or the connection is closed at once where there
    /// is not a permission for the peer (RFC 6062 §5.3).
    /// </summary>
    public Outcome HandlePeerConnection(
        Allocation allocation, in TransportAddress source, PeerTransport stream, EngineTime time, Span<byte> reply)
    {
        var connections = allocation.PeerConnections!;
        var isLive = IsLive(allocation, time);
        var peer = PeerAt(allocation, source, time.Milliseconds);
        var mayConnect = isLive && allocation.HasPermission(peer.Address, time.Milliseconds);
        var connection = new PeerConnection(allocation, peer);
        if (!mayConnect || connections.Count >= settings.MaxPeerConnections || !connections.TryAdd(peer, connection))
        {
            PeerTransportsToClose.Add(stream);
            return Outcome.Drop(isLive ? DropReason.NoPermission : DropReason.NoAllocation);
        }

        WaitForBind(connection, stream, time);
        Span<byte> transaction = stackalloc byte[TransactionId.Length];
        random.NextBytes(transaction);
        var indication = new StunMessageWriter(reply, StunMethod.ConnectionAttempt, StunClass.Indication, new TransactionId(transaction));
        indication.WriteUInt32(StunAttributeType.ConnectionId, connection.Id);
        indication.WriteXorAddress(StunAttributeType.XorPeerAddress, peer);
        return Outcome.ToClient(allocation, 0, indication.Length);
    }

    /// <summary>
    /// RFC 6062 §5.4: a new connection of the client asks for a peer's. It has to prove the credential of the allocation, which may
    /// be another engine's: all that is changed here is what the engines share.
    /// </summary>
    private Outcome HandleConnectionBind(in StunMessageReader request, in FiveTuple flow, EngineTime time, Span<byte> reply)
    {
        var connection = request.TryGetUInt32(StunAttributeType.ConnectionId, out var id) ? unbound.Find(id) : null;
        var authentication = authenticator.Authenticate(request, flow, connection?.Allocation.Credential, time);

        // The nonce of the control connection is also accepted: it was issued to this client, and coturn's has no other.
        if (authentication.Error == StunError.StaleNonce && connection is not null)
            authentication = authenticator.Authenticate(request, connection.Allocation.FiveTuple, connection.Allocation.Credential, time);
        if (authentication.Error != StunError.None) return Challenge(request, flow, authentication.Error, time, reply);

        var proof = authentication.Proof;
        if (RefuseAttributes(request, proof, reply, out var refusal)) return refusal;
        var isInUse = Find(flow, time) is not null || _pending.ContainsKey(flow) || EngineElsewhere(flow) is not null;
        if (!flow.IsStream || isInUse) return Refuse(request, StunError.BadRequest, proof, reply);

        // Between two sweeps it may be there still although its time is over.
        if (connection is null || !connection.IsLive(time.Milliseconds)) return Refuse(request, StunError.BadRequest, proof, reply);
        if (!MayUse(connection.Allocation, proof, request.Method)) return Refuse(request, StunError.WrongCredentials, proof, reply);
        if (!unbound.TryAcquire(connection)) return Refuse(request, StunError.BadRequest, proof, reply);
        return Outcome.Bind(connection, Succeed(request, proof, reply));
    }

    /// <summary>A peer's connection, or the client's that was bound to it, has ended (RFC 6062 §5.5).</summary>
    public void PeerConnectionClosed(PeerConnection connection)
    {
        if (connection.Allocation.PeerConnections!.Remove(connection.Peer)) Close(connection);
    }

    private void WaitForBind(PeerConnection connection, PeerTransport stream, EngineTime time)
    {
        connection.Stream = stream;
        connection.ExpiresAt = time.After(PeerConnection.BindTime);
        unbound.Add(connection);
        _waitingForBind.Add(connection);
    }

    private void SweepPeerConnections(long now)
    {
        foreach (var connection in _waitingForBind)
        {
            if (now >= connection.ExpiresAt && unbound.TryAcquire(connection)) PeerConnectionClosed(connection);
        }

        _waitingForBind.RemoveAll(connection => now >= connection.ExpiresAt);
    }

    /// <summary>The data connections of an allocation end with it (RFC 6062 §5.5).</summary>
    private void EndPeerConnections(Allocation allocation)
    {
        if (allocation.PeerConnections is not { } connections) return;
        foreach (var connection in connections.Values) Close(connection);
        connections.Clear();
    }

    private void Close(PeerConnection connection)
    {
        unbound.TryAcquire(connection);
        if (connection.Stream is { } stream) PeerTransportsToClose.Add(stream);
    }
}
