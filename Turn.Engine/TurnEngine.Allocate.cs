using System.Buffers.Binary;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine;

/// <summary>Allocate (RFC 8656 §7) and Refresh (§8).</summary>
public sealed partial class TurnEngine
{
    private const byte UdpProtocolNumber = 17;

    /// <summary>
    /// The checks of RFC 8656 §7.2, by the numbers of its list. Check 1, authentication, is in HandleRequest. Check 4, DONT-FRAGMENT,
    /// is in RefuseAttributes, which runs before check 2. The host makes checks 10 (quota, 486) and 11 (300) when it decides.
    /// </summary>
    private Outcome HandleAllocate(
        in StunMessageReader request, in FiveTuple flow, ClientPath path, Allocation? allocation,
        in Proof proof, EngineTime time, Span<byte> reply)
    {
        // 2. The 5-tuple is in use: 437, unless this is a retransmission of the request that made the allocation.
        if (allocation is not null)
        {
            return allocation.CreatedBy == request.TransactionId && proof.Credential.IsSameAs(allocation.CreatedUnder)
                ? AllocateSuccess(allocation, request.TransactionId, proof, request.HasFingerprint, reply)
                : Refuse(request, StunError.AllocationMismatch, proof, reply);
        }

        if (EngineElsewhere(flow) is not null) return Refuse(request, StunError.AllocationMismatch, proof, reply);

        // The first request is still being decided. Its answer also serves the retransmission.
        if (_pending.ContainsKey(flow)) return Outcome.Drop(DropReason.Busy);

        var error = CheckTicketOfAllocate(request, out var isMobile);
        if (error != StunError.None) return Refuse(request, error, proof, reply);
        error = ReadRelayRequest(request, flow, out var relays, out var reserved, out var refusedFamily, time);
        if (error != StunError.None) return Refuse(request, error, proof, reply);

        // A token that has expired meanwhile leaves no lifetime (RFC 7635 §9).
        var lifetime = Lifetime(request, proof.Credential, time);
        if (lifetime == 0) return Refuse(request, StunError.Unauthenticated, proof, reply);

        var pending = new PendingAllocation(flow, path, proof, request.TransactionId, lifetime, relays, reserved)
        {
            RefusedFamily = refusedFamily,
            IsMobile = isMobile,
            WithFingerprint = request.HasFingerprint,
        };
        _pending.Add(flow, pending);
        return Outcome.Decide(pending);
    }

    /// <summary>Completes an Allocate: makes the allocation, or refuses it.</summary>
    /// <param name="pending">What <see cref="Outcome.Pending"/> gave.</param>
    /// <param name="decision">The relays, or why there are none.</param>
    /// <param name="time">Now.</param>
    /// <param name="reply">At least <see cref="ReplyBufferLength"/> octets.</param>
    public Outcome Complete(PendingAllocation pending, AllocationDecision decision, EngineTime time, Span<byte> reply)
    {
        // The client's stream may have closed meanwhile, and another one from the same port may be waiting for an answer of its own.
        var isWanted = _pending.TryGetValue(pending.FiveTuple, out var waiting) && ReferenceEquals(waiting, pending);
        if (isWanted) _pending.Remove(pending.FiveTuple);
        if (!isWanted || decision.Error != StunError.None)
        {
            foreach (var relay in new[] { decision.IPv4, decision.IPv6, decision.Reserved, pending.Reserved })
            {
                if (relay is not null && !RelaysToClose.Contains(relay)) RelaysToClose.Add(relay);
            }

            if (!isWanted) return Outcome.Drop(DropReason.NoAllocation);
            return RefusePending(pending, decision, reply);
        }

        var allocation = new Allocation(pending, decision)
        {
            ReservationToken = decision.Reserved is { } next
                ? reservations.Add(next, pending.FiveTuple.Client.Address, time.After(settings.ReservationLifetime)) : 0,
            Mobility = pending.IsMobile ? NewMobility() : null,
        };
        allocation.Extend(StunAddressFamily.None, time.After(TimeSpan.FromSeconds(pending.LifetimeSeconds)));
        Limit(allocation, decision.Traffic);
        _allocations.Add(pending.FiveTuple, allocation);
        if (allocation.Mobility is { } mobility) _byTicket.Add(mobility.Id, allocation);
        return AllocateSuccess(allocation, pending.TransactionId, pending.Proof, pending.WithFingerprint, reply);
    }

    /// <summary>Limits the traffic of an allocation as its grant says, or as this server does for all.</summary>
    public void Limit(Allocation allocation, TrafficLimits? granted) =>
        allocation.Limits = granted?.Within(settings.Traffic) ?? settings.Traffic;

    /// <summary>
    /// Takes back an allocation that was just made, because its relays do not work or its token was revoked meanwhile. Refuses the
    /// Allocate.
    /// </summary>
    public Outcome Withdraw(
        Allocation allocation, PendingAllocation pending, StunError error, EngineTime time, Span<byte> reply)
    {
        if (reservations.TryAcquire(allocation.ReservationToken, time.Milliseconds) is { } reserved) RelaysToClose.Add(reserved);
        End(allocation, AllocationEnd.Failed);
        return RefusePending(pending, new AllocationDecision(error), reply);
    }

    // isMove: the client has come with its ticket from another 5-tuple (RFC 8016 §3.2.2).
    private Outcome HandleRefresh(
        in StunMessageReader request, in FiveTuple flow, ClientPath path, Allocation allocation, in Proof proof, EngineTime time,
        Span<byte> reply, bool isMove = false)
    {
        // RFC 8656 §8.1, §8.2: a family in a Refresh must be one that the allocation has. Of two, only that one is meant.
        var family = StunAddressFamily.None;
        if (request.Has(StunAttributeType.RequestedAddressFamily))
        {
            if (!TryReadFamily(request, StunAttributeType.RequestedAddressFamily, out family))
                return Refuse(request, StunError.BadRequest, proof, reply);
            if (allocation.RelayFor(family) is null) return Refuse(request, StunError.PeerAddressFamilyMismatch, proof, reply);
        }

        var wanted = request.TryGetUInt32(StunAttributeType.Lifetime, out var seconds) ? seconds : (uint?)null;
        var lifetime = wanted == 0 ? 0 : Lifetime(request, proof.Credential, time);

        // The token has expired. LIFETIME 0 is still granted, so that a client can always tidy up.
        if (lifetime == 0 && wanted != 0) return Challenge(request, flow, StunError.Unauthenticated, time, reply);

        // Another token extends the allocation. It does not end it.
        if (!proof.Credential.IsSameAs(allocation.Credential))
        {
            return lifetime == 0 ? Refuse(request, StunError.WrongCredentials, proof, reply) : Outcome.Renew(new PendingRenewal(
                allocation, new ClientFlow(flow, path), proof, request.TransactionId, family, lifetime, request.HasFingerprint));
        }

        if (lifetime == 0)
        {
            Delete(allocation, family);
            if (!flow.IsStream) _deletions.Add(flow, request.TransactionId, proof.Credential, time);
            return RefreshSuccess(request.TransactionId, request.HasFingerprint, 0, ticket: null, proof, reply);
        }

        if (isMove) MoveTo(allocation, new ClientFlow(flow, path));
        var ticket = Extend(allocation, family, lifetime, proof, time);
        if (isMove) allocation.Mobility!.LastMove = new Move(request.TransactionId, flow, time.Milliseconds, lifetime, ticket!);
        return RefreshSuccess(request.TransactionId, request.HasFingerprint, lifetime, ticket, proof, reply);
    }

    /// <summary>Completes a Refresh with another token: renews the allocation, or refuses.</summary>
    /// <param name="renewal">What <see cref="Outcome.Renewal"/> gave.</param>
    /// <param name="error">Why the token may not renew it; None if it may.</param>
    /// <param name="time">Now.</param>
    /// <param name="reply">At least <see cref="ReplyBufferLength"/> octets.</param>
    public Outcome CompleteRenewal(PendingRenewal renewal, StunError error, EngineTime time, Span<byte> reply)
    {
        var (allocation, proof) = (renewal.Allocation, renewal.Proof);
        if (error == StunError.None && !IsLive(allocation, time)) error = StunError.AllocationMismatch;
        if (error != StunError.None)
            return Refuse(StunMethod.Refresh, renewal.TransactionId, renewal.WithFingerprint, error, proof, reply);
        var ticket = Extend(allocation, renewal.Family, renewal.LifetimeSeconds, proof, time);
        return RefreshSuccess(
            renewal.TransactionId, renewal.WithFingerprint, renewal.LifetimeSeconds, ticket, proof, reply) with
        { Allocation = allocation };
    }

    private Outcome RepeatDeletion(
        in StunMessageReader request, in FiveTuple flow, Credential credential, EngineTime time, Span<byte> reply)
    {
        var authentication = authenticator.Authenticate(request, flow, credential, time);
        return authentication.Error == StunError.None
            ? RefreshSuccess(request.TransactionId, request.HasFingerprint, 0, ticket: null, authentication.Proof, reply)
            : Challenge(request, flow, authentication.Error, time, reply);
    }

    /// <summary>Gives an allocation its time, its credential and, if its client is mobile, its next ticket.</summary>
    private byte[]? Extend(Allocation allocation, StunAddressFamily family, uint lifetime, in Proof proof, EngineTime time)
    {
        allocation.Extend(family, time.After(TimeSpan.FromSeconds(lifetime)));
        allocation.Credential = proof.Credential;
        return allocation.Mobility is { } mobility ? NewTicket(mobility) : null;
    }

    private Outcome RefreshSuccess(
        TransactionId transaction, bool withFingerprint, uint lifetime, byte[]? ticket, in Proof proof, Span<byte> reply)
    {
        var response = new StunMessageWriter(reply, StunMethod.Refresh, StunClass.SuccessResponse, transaction);
        response.WriteUInt32(StunAttributeType.Lifetime, lifetime);
        if (ticket is not null) response.Write(StunAttributeType.MobilityTicket, ticket);
        response.Write(StunAttributeType.Software, _software);
        proof.Sign(ref response);
        if (withFingerprint) response.AddFingerprint();
        return Outcome.Reply(response.Length, StunMethod.Refresh, StunError.None);
    }

    private void Delete(Allocation allocation, StunAddressFamily family)
    {
        var other = family == StunAddressFamily.IPv4 ? allocation.IPv6 : allocation.IPv4;
        if (family == StunAddressFamily.None || other is null) End(allocation, AllocationEnd.Deleted);
        else RelaysToClose.Add(allocation.RemoveRelay(family));
    }

    /// <summary>Deletes the family that no Refresh has extended, while the other one lives on.</summary>
    private void DeleteExpiredFamily(Allocation allocation, EngineTime time)
    {
        if (allocation.IPv4 is null || allocation.IPv6 is null) return;
        if (time.Milliseconds >= allocation.ExpiresAtOf(StunAddressFamily.IPv4)) Delete(allocation, StunAddressFamily.IPv4);
        else if (time.Milliseconds >= allocation.ExpiresAtOf(StunAddressFamily.IPv6)) Delete(allocation, StunAddressFamily.IPv6);
    }

    /// <summary>Checks 3 and 5 to 9 of RFC 8656 §7.2: which relays the client wants, and whether this server has them.</summary>
    private StunError ReadRelayRequest(
        in StunMessageReader request, in FiveTuple flow, out RelayRequest relays, out Relay? reserved,
        out StunAddressFamily refusedFamily, EngineTime time)
    {
        relays = default;
        reserved = null;
        refusedFamily = StunAddressFamily.None;

        // 3. REQUESTED-TRANSPORT: 400 if absent or malformed, 442 if not supported.
        if (!request.TryGet(StunAttributeType.RequestedTransport, out var transport)) return StunError.BadRequest;
        if (transport[0] == TcpProtocolNumber) return ReadTcpRelayRequest(request, flow, out relays);
        if (transport[0] != UdpProtocolNumber) return StunError.UnsupportedTransportProtocol;

        var hasEvenPort = request.TryGet(StunAttributeType.EvenPort, out var evenPort);
        var hasFamily = request.Has(StunAttributeType.RequestedAddressFamily);
        var additional = settings.DraftAddressFamily && request.Has(StunAttributeType.AdditionalAddressFamilyDraft)
            ? StunAttributeType.AdditionalAddressFamilyDraft
            : StunAttributeType.AdditionalAddressFamily;
        var hasAdditional = request.Has(additional);
        // 5. RESERVATION-TOKEN excludes the attributes that describe a relay: 400. An unknown or expired token is 508.
        if (request.TryGet(StunAttributeType.ReservationToken, out var token))
        {
            if (hasEvenPort || hasFamily || hasAdditional) return StunError.BadRequest;
            reserved = reservations.TryAcquire(BinaryPrimitives.ReadUInt64BigEndian(token), time.Milliseconds);
            return reserved is null ? StunError.InsufficientCapacity : StunError.None;
        }

        // 6. REQUESTED-ADDRESS-FAMILY and ADDITIONAL-ADDRESS-FAMILY exclude each other: 400.
        if (hasFamily && hasAdditional) return StunError.BadRequest;
        // 8. EVEN-PORT. Whether the ports can be had is known only when the host binds the relays (508).
        var reserveNext = hasEvenPort && (evenPort[0] & 0x80) != 0;
        if (reserveNext && reservations.CountOf(flow.Client.Address) >= settings.MaxReservations) return StunError.InsufficientCapacity;
        // 8. with its R bit, ADDITIONAL-ADDRESS-FAMILY is a 400. 9. ADDITIONAL-ADDRESS-FAMILY must be IPv6 (400).
        if (hasAdditional) return ReadBothFamilies(request, additional, hasEvenPort, reserveNext, out relays, out refusedFamily);

        // 7. REQUESTED-ADDRESS-FAMILY, or the default without it: 440 if this server has no relays of the family.
        var family = DefaultFamily(flow);
        if (hasFamily && !TryReadFamily(request, StunAttributeType.RequestedAddressFamily, out family))
            return StunError.AddressFamilyNotSupported;
        if (!Relays(family)) return StunError.AddressFamilyNotSupported;
        relays = new RelayRequest(family == StunAddressFamily.IPv4, family == StunAddressFamily.IPv6, hasEvenPort, reserveNext);
        return StunError.None;
    }

    /// <summary>ADDITIONAL-ADDRESS-FAMILY asks for IPv6 beside IPv4; one of the two is better than none (RFC 8656 §7.2, 9).</summary>
    private StunError ReadBothFamilies(
        in StunMessageReader request, StunAttributeType attribute, bool evenPort, bool reserveNext, out RelayRequest relays,
        out StunAddressFamily refused)
    {
        relays = new RelayRequest(settings.RelaysIPv4, settings.RelaysIPv6, evenPort, ReserveNext: false);
        refused = StunAddressFamily.None;
        if (!TryReadFamily(request, attribute, out var family)) return StunError.BadRequest;
        if (family != StunAddressFamily.IPv6 || reserveNext) return StunError.BadRequest;
        if (!settings.RelaysIPv4 && !settings.RelaysIPv6) return StunError.InsufficientCapacity;
        if (!settings.RelaysIPv4) refused = StunAddressFamily.IPv4;
        if (!settings.RelaysIPv6) refused = StunAddressFamily.IPv6;
        return StunError.None;
    }

    private static bool TryReadFamily(in StunMessageReader request, StunAttributeType type, out StunAddressFamily family)
    {
        family = StunAddressFamily.None;
        if (!request.TryGet(type, out var value) || value.Length != 4) return false;
        family = (StunAddressFamily)value[0];
        return family is StunAddressFamily.IPv4 or StunAddressFamily.IPv6;
    }

    private StunAddressFamily DefaultFamily(in FiveTuple flow)
    {
        if (!settings.DefaultsToClientFamily) return StunAddressFamily.IPv4;
        var family = flow.Client.Address.Family;
        return Relays(family) ? family : settings.RelaysIPv6 ? StunAddressFamily.IPv6 : StunAddressFamily.IPv4;
    }

    private bool Relays(StunAddressFamily family) =>
        family == StunAddressFamily.IPv4 ? settings.RelaysIPv4 : settings.RelaysIPv6;

    /// <summary>
    /// RFC 8656 §7.2: at least the default, at most the maximum; and no longer than the token lives (RFC 7635 §9). 0 when
    /// nothing is left of the token.
    /// </summary>
    private uint Lifetime(in StunMessageReader request, Credential credential, EngineTime time)
    {
        var longest = (uint)settings.MaxLifetime.TotalSeconds;
        var lifetime = (uint)settings.DefaultLifetime.TotalSeconds;
        if (request.TryGetUInt32(StunAttributeType.Lifetime, out var wanted)) lifetime = Math.Max(lifetime, Math.Min(wanted, longest));
        return Math.Min(lifetime, credential.RemainingSeconds(time.Utc));
    }

    private Outcome AllocateSuccess(
        Allocation allocation, TransactionId transaction, in Proof proof, bool withFingerprint, Span<byte> reply)
    {
        var response = new StunMessageWriter(reply, StunMethod.Allocate, StunClass.SuccessResponse, transaction);
        if (allocation.IPv4 is { } ipv4) response.WriteXorAddress(StunAttributeType.XorRelayedAddress, ipv4.Advertised);
        if (allocation.IPv6 is { } ipv6) response.WriteXorAddress(StunAttributeType.XorRelayedAddress, ipv6.Advertised);
        if (allocation.RefusedFamily != StunAddressFamily.None) WriteAddressError(ref response, allocation.RefusedFamily);
        response.WriteUInt32(StunAttributeType.Lifetime, allocation.CreatedWithLifetime);
        response.WriteXorAddress(StunAttributeType.XorMappedAddress, allocation.FiveTuple.Client);
        if (allocation.Mobility is { } mobility) response.Write(StunAttributeType.MobilityTicket, mobility.Ticket);
        if (allocation.ReservationToken != 0) WriteReservationToken(ref response, allocation.ReservationToken);
        response.Write(StunAttributeType.Software, _software);
        proof.Sign(ref response);
        if (withFingerprint) response.AddFingerprint();
        return Outcome.Reply(response.Length, StunMethod.Allocate, StunError.None) with { Allocation = allocation };
    }

    private Outcome RefusePending(PendingAllocation pending, in AllocationDecision decision, Span<byte> reply) => Refuse(
        StunMethod.Allocate, pending.TransactionId, pending.WithFingerprint, decision.Error, pending.Proof, reply,
        decision.AlternateServer);

    private Outcome Refuse(
        StunMethod method, TransactionId transaction, bool withFingerprint, StunError error, in Proof proof, Span<byte> reply,
        TransportAddress? alternateServer = null)
    {
        var response = new StunMessageWriter(reply, method, StunClass.ErrorResponse, transaction);
        response.WriteErrorCode(error);
        if (alternateServer is { } alternate) response.WriteAddress(StunAttributeType.AlternateServer, alternate);
        response.Write(StunAttributeType.Software, _software);
        proof.Sign(ref response);
        if (withFingerprint) response.AddFingerprint();
        return Outcome.Reply(response.Length, method, error);
    }

    private static void WriteReservationToken(ref StunMessageWriter response, ulong token)
    {
        Span<byte> octets = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(octets, token);
        response.Write(StunAttributeType.ReservationToken, octets);
    }

    /// <summary>ADDRESS-ERROR-CODE: which of two families was not granted (RFC 8656 §18.12).</summary>
    private static void WriteAddressError(ref StunMessageWriter response, StunAddressFamily family)
    {
        const StunError Error = StunError.AddressFamilyNotSupported;
        var phrase = Error.ReasonPhrase();
        Span<byte> value = stackalloc byte[4 + phrase.Length];
        value[0] = (byte)family;
        value[1] = 0;
        value[2] = (int)Error / 100;
        value[3] = (int)Error % 100;
        phrase.CopyTo(value[4..]);
        response.Write(StunAttributeType.AddressErrorCode, value);
    }
}
