using System.Buffers.Binary;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine;

/// <summary>
/// The relay path: Send and ChannelData towards peers (RFC 8656 §11.2, §12.6), Data and ChannelData towards clients (§11.4,
/// §12.7). No octet of payload is copied and nothing is allocated: headers are written into the room before it.
/// </summary>
public sealed partial class TurnEngine
{
    /// <summary>
    /// Octets to leave free before a peer's payload: a STUN header, XOR-PEER-ADDRESS for IPv6 and the header of DATA.
    /// </summary>
    public const int Headroom = StunHeader.Length + StunHeader.AttributeHeaderLength + 20 + StunHeader.AttributeHeaderLength;

    /// <summary>Octets to leave free behind a peer's payload, for padding.</summary>
    public const int Tailroom = 3;

    /// <summary>The longest payload that fits a Data indication, whatever the peer's family.</summary>
    private const int MaxDataLength = (ushort.MaxValue & ~3) + StunHeader.Length - Headroom;

    /// <summary>Handles a datagram that a peer sent to a relay.</summary>
    /// <param name="allocation">The relay's allocation.</param>
    /// <param name="source">Where it came from.</param>
    /// <param name="buffer"><see cref="Headroom"/> free octets, the payload, and <see cref="Tailroom"/> free octets.</param>
    /// <param name="time">Now.</param>
    public Outcome HandlePeer(Allocation allocation, in TransportAddress source, Span<byte> buffer, EngineTime time)
    {
        var now = time.Milliseconds;
        if (now >= allocation.ExpiresAtOf(source.Address.Family)) return Outcome.Drop(DropReason.NoAllocation);

        var peer = PeerAt(allocation, source, now);
        var length = buffer.Length - Headroom - Tailroom;
        var channel = allocation.ChannelTo(peer);
        if (!(channel?.Permission.IsLive(now) ?? allocation.HasPermission(peer.Address, now)))
            return Drop(allocation, DropReason.NoPermission);

        // What does not fit the length field of a Data indication would be taken for another message in the client's stream.
        if (length > MaxDataLength) return Drop(allocation, DropReason.Malformed);
        var onChannel = channel is not null && channel.IsLive(now);
        if (!allocation.TryRelayToClient(length, onChannel, now)) return Drop(allocation, DropReason.OverLimit);

        allocation.Totals.PacketsToClient++;
        allocation.Totals.BytesToClient += length;
        return onChannel
            ? WriteChannelData(allocation, channel!.Number, buffer, length)
            : WriteDataIndication(allocation, peer, buffer, length);
    }

    /// <summary>
    /// Handles what the network said about a datagram that this allocation had sent: a Data indication with ICMP, also where a
    /// channel is bound (RFC 8656 §11.5, §12.7).
    /// </summary>
    /// <param name="allocation">Whose datagram it was.</param>
    /// <param name="destination">Where it was to go.</param>
    /// <param name="error">What was said.</param>
    /// <param name="time">Now.</param>
    /// <param name="reply">At least <see cref="ReplyBufferLength"/> octets.</param>
    public Outcome HandleIcmp(
        Allocation allocation, in TransportAddress destination, IcmpError error, EngineTime time, Span<byte> reply)
    {
        var family = destination.Address.Family;
        if (time.Milliseconds >= allocation.ExpiresAtOf(family)) return Outcome.Drop(DropReason.NoAllocation);
        var peer = PeerAt(allocation, destination, time.Milliseconds);
        if (!allocation.HasPermission(peer.Address, time.Milliseconds)) return Outcome.Drop(DropReason.NoPermission);
        if (!error.IsForClients(family)) return Outcome.Drop(DropReason.UnexpectedMessage);

        // 16 reserved bits, 7 of type, 9 of code, 32 of error data (RFC 8656 §18.13).
        Span<byte> value = stackalloc byte[8];
        value[..2].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(value[2..], (ushort)((error.Type << 9) | error.Code));
        BinaryPrimitives.WriteUInt32BigEndian(value[4..], error.ErrorData(family));
        Span<byte> transaction = stackalloc byte[TransactionId.Length];
        random.NextBytes(transaction);
        var indication = new StunMessageWriter(reply, StunMethod.Data, StunClass.Indication, new TransactionId(transaction));
        indication.WriteXorAddress(StunAttributeType.XorPeerAddress, peer);
        indication.Write(StunAttributeType.Icmp, value);
        return Outcome.ToClient(allocation, 0, indication.Length);
    }

    private Outcome HandleChannelData(ReadOnlySpan<byte> packet, in FiveTuple flow, EngineTime time)
    {
        if (!ChannelData.TryRead(packet, out var number, out var payload)) return Outcome.Drop(DropReason.Malformed);
        if (Find(flow, time) is not { } allocation) return WithoutAllocation(flow);

        var channel = allocation.Channel(number);
        if (channel is null || !channel.IsLive(time.Milliseconds)) return Drop(allocation, DropReason.UnboundChannel);

        // The binding lives for ten minutes, its permission for five: a client must renew it in time to be relayed.
        if (!channel.Permission.IsLive(time.Milliseconds)) return Drop(allocation, DropReason.NoPermission);

        // The relay that the channel was bound to may have closed, and another program may have its port.
        if (channel.Relay is { } relay && !peerPolicy.IsRelay(relay)) return Drop(allocation, DropReason.PeerForbidden);
        return ToPeer(allocation, flow, channel.Peer, ChannelData.HeaderLength, payload.Length, dontFragment: false, time);
    }

    /// <summary>An indication has no answer: whatever is wrong with it, it is dropped (RFC 8656 §11.2).</summary>
    private Outcome HandleSend(in StunMessageReader indication, in FiveTuple flow, EngineTime time)
    {
        if (Find(flow, time) is not { } allocation) return WithoutAllocation(flow);
        if (HasUnknownRequiredAttribute(indication)) return Drop(allocation, DropReason.UnknownAttributeInIndication);
        if (HasAttributeOfWrongLength(indication)) return Drop(allocation, DropReason.Malformed);
        if (!indication.TryGetXorAddress(StunAttributeType.XorPeerAddress, out var peer)) return Drop(allocation, DropReason.Malformed);
        if (!indication.TryGet(StunAttributeType.Data, out var payload)) return Drop(allocation, DropReason.Malformed);
        if (!allocation.HasPermission(peer.Address, time.Milliseconds)) return Drop(allocation, DropReason.NoPermission);
        if (!peerPolicy.MayReach(peer)) return Drop(allocation, DropReason.PeerForbidden);

        indication.Octets.Overlaps(payload, out var offset);

        // RFC 8656 §13: between families, and for IPv6, the attribute is ignored.
        var dontFragment = peer.Address.Family == StunAddressFamily.IPv4
            && flow.Client.Address.Family == StunAddressFamily.IPv4
            && indication.Has(StunAttributeType.DontFragment);
        return ToPeer(allocation, flow, peer, offset, payload.Length, dontFragment, time);
    }

    private Outcome ToPeer(
        Allocation allocation, in FiveTuple flow, in TransportAddress peer, int offset, int length, bool dontFragment, EngineTime time)
    {
        if (allocation.RelayFor(peer.Address.Family) is not { } relay || peer.Port == 0) return Drop(allocation, DropReason.PeerForbidden);

        // Datagrams do not leave from an address for TCP connections.
        if (allocation.PeerConnections is not null) return Drop(allocation, DropReason.UnexpectedMessage);
        if (allocation.Mobility is { Next: { } next } mobility && next.FiveTuple == flow) Arrive(allocation, mobility);
        if (!allocation.TryRelayToPeer(length, time.Milliseconds)) return Drop(allocation, DropReason.OverLimit);

        allocation.Totals.PacketsToPeers++;
        allocation.Totals.BytesToPeers += length;
        return Outcome.ToPeer(allocation, relay, peerPolicy.Relays.BoundOf(peer, isTcp: false), offset, length, dontFragment);
    }

    /// <summary>
    /// A relay of this server is seen under its advertised address, as it would be behind the NAT. A client with a permission only for
    /// the bound address sees that one.
    /// </summary>
    private TransportAddress PeerAt(Allocation allocation, in TransportAddress source, long now)
    {
        var advertised = peerPolicy.Relays.AdvertisedOf(source, isTcp: allocation.PeerConnections is not null);
        return advertised != source && allocation.HasPermission(advertised.Address, now) ? advertised : source;
    }

    private static Outcome Drop(Allocation allocation, DropReason reason)
    {
        allocation.Totals.CountDrop(reason);
        return Outcome.Drop(reason);
    }

    private static Outcome WriteChannelData(Allocation allocation, ushort number, Span<byte> buffer, int length)
    {
        var start = Headroom - ChannelData.HeaderLength;
        ChannelData.WriteHeader(buffer[start..], number, length);

        // Padding is for streams alone (RFC 8656 §12.5).
        var total = ChannelData.HeaderLength + length;
        if (!allocation.FiveTuple.IsStream) return Outcome.ToClient(allocation, start, total);
        buffer[(Headroom + length)..].Clear();
        return Outcome.ToClient(allocation, start, StunHeader.Padded(total));
    }

    private Outcome WriteDataIndication(Allocation allocation, in TransportAddress peer, Span<byte> buffer, int length)
    {
        var addressLength = peer.Address.Family == StunAddressFamily.IPv6 ? 20 : 8;
        var start = Headroom - StunHeader.Length - (2 * StunHeader.AttributeHeaderLength) - addressLength;
        Span<byte> transaction = stackalloc byte[TransactionId.Length];
        random.NextBytes(transaction);

        var message = buffer[start..];
        var writer = new StunMessageWriter(message, StunMethod.Data, StunClass.Indication, new TransactionId(transaction));
        writer.WriteXorAddress(StunAttributeType.XorPeerAddress, peer);
        writer.WriteInPlace(StunAttributeType.Data, length);
        return Outcome.ToClient(allocation, start, writer.Length);
    }
}
