using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine;

/// <summary>Clients that change their address and keep their allocation (RFC 8016).</summary>
/// <remarks>
/// An allocation stays with the engine that made it. Where its client's new 5-tuple reaches another one, that engine says
/// <see cref="OutcomeKind.HandOver"/>, and its host gives the packet to the right one.
/// </remarks>
public sealed partial class TurnEngine
{
    private readonly MobileAllocations _mobile = mobile ?? new MobileAllocations();

    /// <summary>This engine's mobile allocations by the number in their tickets.</summary>
    private readonly Dictionary<ulong, Allocation> _byTicket = [];

    /// <summary>5-tuples from which a ticket was used and no data has come yet.</summary>
    private readonly Dictionary<FiveTuple, Allocation> _arriving = [];

    /// <summary>The other engine that has the allocation of this 5-tuple; null when it is this one, or none.</summary>
    public int? EngineElsewhere(in FiveTuple flow) =>
        _mobile.EngineOf(flow) is { } engine && engine != number ? engine : null;

    /// <summary>Data of a 5-tuple that has no allocation here.</summary>
    private Outcome WithoutAllocation(in FiveTuple flow) =>
        EngineElsewhere(flow) is { } engine ? Outcome.HandOver(engine) : Outcome.Drop(DropReason.NoAllocation);

    /// <summary>RFC 8016 §3.1.2: an Allocate has an empty ticket, and mobility may be forbidden.</summary>
    private StunError CheckTicketOfAllocate(in StunMessageReader request, out bool isMobile)
    {
        isMobile = request.TryGet(StunAttributeType.MobilityTicket, out var ticket);
        if (!isMobile) return StunError.None;
        if (_mobile.Tickets is null) return StunError.MobilityForbidden;
        return ticket.IsEmpty ? StunError.None : StunError.BadRequest;
    }

    private MobilityState NewMobility()
    {
        var id = _mobile.Add(number);
        return new MobilityState(id, _mobile.Tickets!.Seal(id, move: 0));
    }

    /// <summary>
    /// A Refresh with a ticket, from wherever it comes (RFC 8016 §3.2.2): the ticket says which allocation is meant, its
    /// credential says whether the client may have it. Its 5-tuple may have an allocation of its own (here).
    /// </summary>
    private Outcome HandleRefreshWithTicket(
        in StunMessageReader request, in FiveTuple flow, ClientPath path, Allocation? here, EngineTime time, Span<byte> reply)
    {
        // As with tokens, made-up requests cost no AES: without a nonce of ours the ticket stays closed, and the answer is 438.
        request.TryGet(StunAttributeType.MobilityTicket, out var ticket);
        ulong id = 0;
        uint move = 0;
        var isGenuine = _mobile.Tickets is { } tickets && authenticator.HasNonceOfOurs(request, flow, time)
            && tickets.TryOpen(ticket, out id, out move);
        if (isGenuine && here is null && _pending.ContainsKey(flow)) return Outcome.Drop(DropReason.Busy);
        if (isGenuine && here is null && _mobile.EngineOf(id) is { } engine && engine != number) return Outcome.HandOver(engine);

        var allocation = isGenuine ? FindByTicket(id, time) : null;
        var authentication = authenticator.Authenticate(request, flow, (allocation ?? here)?.Credential, time);
        if (authentication.Error != StunError.None)
        {
            // The allocation is known and the client is not its owner. With a token it may be one whose token has run out.
            var isStranger = allocation is not null && authentication.Error == StunError.Unauthenticated
                && !request.Has(StunAttributeType.AccessToken);
            return Challenge(request, flow, isStranger ? StunError.WrongCredentials : authentication.Error, time, reply);
        }

        var proof = authentication.Proof;
        if (RefuseAttributes(request, proof, reply, out var refusal)) return refusal;
        if (_mobile.Tickets is null) return Refuse(request, StunError.MobilityForbidden, proof, reply);
        if (!isGenuine) return Refuse(request, StunError.BadRequest, proof, reply);
        if (allocation?.Mobility is not { } mobility) return Refuse(request, StunError.AllocationMismatch, proof, reply);

        // RFC 8016 §3.2.2: a client moves under the credential of its allocation. It renews at its new address: a ticket may be sniffed,
        // and any user has a token.
        if (!proof.Credential.IsSameAs(allocation.Credential)) return Refuse(request, StunError.WrongCredentials, proof, reply);

        // Where a stream has ended the client is no more, and may come back from the very same address and port.
        var current = mobility.Next ?? allocation.Client;
        var isThere = flow == current.FiveTuple && current.Path != ClientPath.Closed;
        if (isThere && IsRetransmission(mobility, move, request.TransactionId, flow, time))
        {
            var last = mobility.LastMove!;
            return RefreshSuccess(request.TransactionId, request.HasFingerprint, last.Lifetime, last.Ticket, proof, reply);
        }

        // A used ticket is void, one that comes from where the client is already moves nothing, and TCP allocations are for streams.
        if (move != mobility.Moves || isThere) return Refuse(request, StunError.BadRequest, proof, reply);
        if (allocation.PeerConnections is not null && !flow.IsStream) return Refuse(request, StunError.BadRequest, proof, reply);
        if ((here ?? allocation) != allocation || EngineElsewhere(flow) is not null)
            return Refuse(request, StunError.AllocationMismatch, proof, reply);
        return HandleRefresh(request, flow, path, allocation, proof, time, reply, isMove: true) with { Allocation = allocation };
    }

    private static bool IsRetransmission(
        MobilityState mobility, uint move, TransactionId transaction, in FiveTuple flow, EngineTime time) =>
        move + 1 == mobility.Moves
        && mobility.LastMove is { } last
        && last.TransactionId == transaction
        && last.FiveTuple == flow
        && time.Milliseconds < last.At + (long)MobilityState.OldTicketLifetime.TotalMilliseconds;

    private Allocation? FindByTicket(ulong id, EngineTime time)
    {
        if (!_byTicket.TryGetValue(id, out var allocation)) return null;
        return IfLive(allocation, time);
    }

    /// <summary>Another ticket for the same move: each answer to a Refresh has a new one (RFC 8016 §3.2.2).</summary>
    private byte[] NewTicket(MobilityState mobility) => mobility.Ticket = _mobile.Tickets!.Seal(mobility.Id, mobility.Moves);

    /// <summary>The client has shown its ticket from another 5-tuple, which may now carry requests, and soon data.</summary>
    private void MoveTo(Allocation allocation, ClientFlow next)
    {
        var mobility = allocation.Mobility!;
        LetGoOfNext(mobility);
        mobility.Moves++;
        if (next.FiveTuple == allocation.FiveTuple)
        {
            allocation.Client = next;
            return;
        }

        mobility.Next = next;
        _arriving[next.FiveTuple] = allocation;
        _mobile.Add(next.FiveTuple, number);

        // There is nothing to wait for where the old way is gone, or no data comes by either of them (RFC 6062).
        if (allocation.Path == ClientPath.Closed || allocation.PeerConnections is not null) Arrive(allocation, mobility);
    }

    /// <summary>Data has come by the new 5-tuple, or the old one is gone: the old one is let go.</summary>
    private void Arrive(Allocation allocation, MobilityState mobility)
    {
        var next = mobility.Next!;
        _arriving.Remove(next.FiveTuple);
        _allocations.Remove(allocation.FiveTuple);
        _mobile.Remove(allocation.FiveTuple);
        allocation.Client = next;
        mobility.Next = null;
        _allocations[next.FiveTuple] = allocation;
    }

    private void LetGoOfNext(MobilityState mobility)
    {
        if (mobility.Next is not { } next) return;
        _arriving.Remove(next.FiveTuple);
        _mobile.Remove(next.FiveTuple);
        mobility.Next = null;
    }

    /// <summary>A mobile client's stream has ended. It may come back with its ticket until the allocation's time is up.</summary>
    private void StreamOfMobileClosed(Allocation allocation, MobilityState mobility, in FiveTuple flow)
    {
        if (mobility.Next?.FiveTuple == flow) LetGoOfNext(mobility);
        else if (mobility.Next is not null) Arrive(allocation, mobility);
        else allocation.Client = allocation.Client with { Path = ClientPath.Closed };
    }

    private void ForgetMobility(Allocation allocation)
    {
        if (allocation.Mobility is not { } mobility) return;
        LetGoOfNext(mobility);
        _mobile.Remove(allocation.FiveTuple);
        _mobile.Remove(mobility.Id);
        _byTicket.Remove(mobility.Id);
    }
}
