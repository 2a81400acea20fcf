using System.Buffers.Binary;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine;

/// <summary>CreatePermission (RFC 8656 §10) and ChannelBind (§12).</summary>
public sealed partial class TurnEngine
{
    private Outcome HandleCreatePermission(
        in StunMessageReader request, Allocation allocation, in Proof proof, EngineTime time, Span<byte> reply)
    {
        // All peers are checked before any is permitted: the request succeeds or fails as a whole.
        var fresh = 0;
        var any = false;
        foreach (var attribute in request)
        {
            if (attribute.Type != StunAttributeType.XorPeerAddress) continue;
            any = true;
            if (!request.TryDecodeXorAddress(attribute.Value, out var peer)) return Refuse(request, StunError.BadRequest, proof, reply);
            var error = CheckPeer(allocation, peer.Address);
            if (error != StunError.None) return Refuse(request, error, proof, reply);
            if (!allocation.KnowsPermission(peer.Address)) fresh++;
        }

        if (!any) return Refuse(request, StunError.BadRequest, proof, reply);
        if (allocation.PermissionCount + fresh > settings.MaxPermissions)
            return Refuse(request, StunError.InsufficientCapacity, proof, reply);

        foreach (var attribute in request)
        {
            if (attribute.Type == StunAttributeType.XorPeerAddress && request.TryDecodeXorAddress(attribute.Value, out var peer))
                allocation.Permit(peer.Address, time);
        }

        return Succeed(request, proof, reply);
    }

    /// <summary>RFC 8656 §12.2: one number, one peer, both ways; binding the same pair again starts its time anew.</summary>
    private Outcome HandleChannelBind(
        in StunMessageReader request, Allocation allocation, in Proof proof, EngineTime time, Span<byte> reply)
    {
        // A channel is for datagrams (RFC 6062 has none).
        if (allocation.PeerConnections is not null) return Refuse(request, StunError.BadRequest, proof, reply);
        if (!TryReadChannelNumber(request, out var number)) return Refuse(request, StunError.BadRequest, proof, reply);
        if (!request.TryGetXorAddress(StunAttributeType.XorPeerAddress, out var peer) || peer.Port == 0)
            return Refuse(request, StunError.BadRequest, proof, reply);

        var error = CheckPeer(allocation, peer);
        if (error != StunError.None) return Refuse(request, error, proof, reply);

        var ofNumber = allocation.Channel(number);
        var ofPeer = allocation.ChannelTo(peer);
        var now = time.Milliseconds;
        if (ofNumber is not null && ofNumber.Peer != peer && ofNumber.HoldsItsNumber(now))
            return Refuse(request, StunError.BadRequest, proof, reply);
        if (ofPeer is not null && ofPeer.Number != number && ofPeer.HoldsItsNumber(now))
            return Refuse(request, StunError.BadRequest, proof, reply);

        var isFull = ofNumber is null && allocation.ChannelCount >= settings.MaxChannels;
        var isFullOfPermissions = !allocation.KnowsPermission(peer.Address) && allocation.PermissionCount >= settings.MaxPermissions;
        if (isFull || isFullOfPermissions) return Refuse(request, StunError.InsufficientCapacity, proof, reply);

        allocation.Bind(number, peer, peerPolicy.NeedsRelay(peer, out var relay) ? relay : null, time);
        return Succeed(request, proof, reply);
    }

    private bool TryReadChannelNumber(in StunMessageReader request, out ushort number)
    {
        number = 0;
        if (!request.TryGet(StunAttributeType.ChannelNumber, out var value)) return false;
        number = BinaryPrimitives.ReadUInt16BigEndian(value);
        return number >= ChannelData.MinChannel
            && number <= (settings.Rfc5766Channels ? ChannelData.MaxChannelRfc5766 : ChannelData.MaxChannel);
    }

    /// <summary>RFC 8656 §10.2: a family that the allocation has no relay for is 443, a peer that policy forbids is 403.</summary>
    private StunError CheckPeer(Allocation allocation, InternetAddress peer)
    {
        if (allocation.RelayFor(peer.Family) is null) return StunError.PeerAddressFamilyMismatch;
        return peerPolicy.Allows(peer) ? StunError.None : StunError.Forbidden;
    }

    /// <summary>The same, with the port: at this machine only relays are peers.</summary>
    private StunError CheckPeer(Allocation allocation, in TransportAddress peer)
    {
        var error = CheckPeer(allocation, peer.Address);
        var isTcp = allocation.PeerConnections is not null;
        return error == StunError.None && !peerPolicy.MayReach(peer, isTcp) ? StunError.Forbidden : error;
    }

    private Outcome Succeed(in StunMessageReader request, in Proof proof, Span<byte> reply)
    {
        var response = new StunMessageWriter(reply, request.Method, StunClass.SuccessResponse, request.TransactionId);
        response.Write(StunAttributeType.Software, _software);
        proof.Sign(ref response);
        return Finish(ref response, request, request.Method, StunError.None);
    }
}
