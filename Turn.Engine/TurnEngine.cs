using System.Text;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Mobility;
using WebRtcIms.Turn.Engine.Peers;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine;

/// <summary>
/// The rules of RFC 8656, and nothing else: it is given octets, addresses and the time, and returns what to send where.
/// It knows no socket, clock, cache or logger, so that every rule can be tested without one.
/// </summary>
/// <remarks>
/// Not safe for several threads: its host calls it from one at a time. After each call the host closes what stands in
/// <see cref="RelaysToClose"/> and gives back what <see cref="Ended"/> held.
/// </remarks>
/// <param name="settings">What the rules depend on.</param>
/// <param name="authenticator">Who sent a request.</param>
/// <param name="peerPolicy">Which peers may be reached.</param>
/// <param name="reservations">Ports that wait for their token; shared by all engines of a server.</param>
/// <param name="unbound">Peers' connections that wait for their ConnectionBind; shared by all engines of a server.</param>
/// <param name="random">For transaction ids and nonces.</param>
/// <param name="mobile">Allocations that may change their 5-tuple; shared by all engines of a server. Without it none may.</param>
/// <param name="number">Which engine of the server this is, from 0 on.</param>
public sealed partial class TurnEngine(
    EngineSettings settings,
    RequestAuthenticator authenticator,
    PeerPolicy peerPolicy,
    PortReservations reservations,
    UnboundConnections unbound,
    Random random,
    MobileAllocations? mobile = null,
    int number = 0)
{
    /// <summary>Room for the longest message that the engine writes by itself.</summary>
    public const int ReplyBufferLength = 1024;

    /// <summary>Attributes that a request may have; any other that must be understood makes it refused (RFC 8489 §6.3.1).</summary>
    private static readonly HashSet<StunAttributeType> Understood =
    [
        StunAttributeType.Username, StunAttributeType.UserHash, StunAttributeType.Realm, StunAttributeType.Nonce,
        StunAttributeType.PasswordAlgorithm, StunAttributeType.MessageIntegrity, StunAttributeType.MessageIntegritySha256,
        StunAttributeType.AccessToken, StunAttributeType.MappedAddress, StunAttributeType.XorMappedAddress,
        StunAttributeType.ErrorCode, StunAttributeType.UnknownAttributes,
        StunAttributeType.Lifetime, StunAttributeType.XorPeerAddress, StunAttributeType.XorRelayedAddress, StunAttributeType.Data,
        StunAttributeType.ChannelNumber, StunAttributeType.EvenPort, StunAttributeType.RequestedTransport,
        StunAttributeType.RequestedAddressFamily, StunAttributeType.ReservationToken,
        StunAttributeType.ConnectionId,
    ];

    private const int MaxUnknownReported = 128;

    /// <summary>Attributes of one length, under the methods that read them. Elsewhere they are ignored (RFC 8489 §6.3).</summary>
    private static readonly (StunMethod Method, StunAttributeType Type, int Length)[] Lengths =
    [
        (StunMethod.Allocate, StunAttributeType.Lifetime, 4), (StunMethod.Allocate, StunAttributeType.RequestedTransport, 4),
        (StunMethod.Allocate, StunAttributeType.RequestedAddressFamily, 4),
        (StunMethod.Allocate, StunAttributeType.AdditionalAddressFamily, 4), (StunMethod.Allocate, StunAttributeType.EvenPort, 1),
        (StunMethod.Allocate, StunAttributeType.ReservationToken, 8), (StunMethod.Allocate, StunAttributeType.DontFragment, 0),
        (StunMethod.Refresh, StunAttributeType.Lifetime, 4), (StunMethod.Refresh, StunAttributeType.RequestedAddressFamily, 4),
        (StunMethod.ChannelBind, StunAttributeType.ChannelNumber, 4), (StunMethod.ConnectionBind, StunAttributeType.ConnectionId, 4),
        (StunMethod.Send, StunAttributeType.DontFragment, 0),
    ];

    /// <summary>Octets around a message on the wire: Ethernet with its checksum, IPv4 and UDP.</summary>
    private const int FrameOverhead = 18 + 20 + 8;

    private readonly byte[] _software = Encoding.UTF8.GetBytes(settings.Software);
    private readonly ChallengeBudget _challenges = new(settings.ChallengesPerSecond, random.Next());
    private readonly Dictionary<FiveTuple, Allocation> _allocations = [];
    private readonly Dictionary<FiveTuple, PendingAllocation> _pending = [];
    private readonly RecentDeletions _deletions = new();

    /// <summary>Relays that nothing uses any more; the host closes them and clears the list.</summary>
    public List<Relay> RelaysToClose { get; } = [];

    /// <summary>Allocations that have ended; the host gives back their leases and clears the list.</summary>
    public List<Allocation> Ended { get; } = [];

    /// <summary>Allocations, with the expired ones that no sweep has removed yet.</summary>
    public int AllocationCount => _allocations.Count;

    /// <summary>The allocations. A live view: <see cref="End"/> changes it.</summary>
    public IReadOnlyCollection<Allocation> Allocations => _allocations.Values;

    /// <summary>Handles one packet, or one message of a stream, from a client.</summary>
    /// <param name="packet">The octets.</param>
    /// <param name="flow">Where they came from and where to.</param>
    /// <param name="path">The way back.</param>
    /// <param name="time">Now.</param>
    /// <param name="reply">At least <see cref="ReplyBufferLength"/> octets.</param>
    public Outcome HandleClient(ReadOnlySpan<byte> packet, in FiveTuple flow, ClientPath path, EngineTime time, Span<byte> reply)
    {
        if (packet.IsEmpty) return Outcome.Drop(DropReason.Malformed);
        if (ChannelData.IsChannelData(packet[0])) return HandleChannelData(packet, flow, time);
        if (StunMessageReader.TryRead(packet, out var message) != StunParseStatus.Ok) return Outcome.Drop(DropReason.Malformed);
        if (!message.FingerprintIsAbsentOrRight) return Outcome.Drop(DropReason.WrongFingerprint);

        return (message.Class, message.Method) switch
        {
            (StunClass.Request, StunMethod.Binding) => HandleBinding(message, flow, time, reply),
            (StunClass.Request, StunMethod.Allocate or StunMethod.Refresh or StunMethod.CreatePermission or StunMethod.ChannelBind) =>
                HandleRequest(message, flow, path, time, reply),
            (StunClass.Request, StunMethod.Connect) when settings.TcpRelays => HandleRequest(message, flow, path, time, reply),
            (StunClass.Request, StunMethod.ConnectionBind) when settings.TcpRelays => HandleConnectionBind(message, flow, time, reply),
            (StunClass.Indication, StunMethod.Send) => HandleSend(message, flow, time),
            _ => Outcome.Drop(DropReason.UnexpectedMessage),
        };
    }

    /// <summary>Whether anything of this client is here, or at another engine.</summary>
    public bool Knows(in FiveTuple flow) =>
        _allocations.ContainsKey(flow) || _pending.ContainsKey(flow) || _arriving.ContainsKey(flow) || EngineElsewhere(flow) is not null;

    /// <summary>The client's stream has ended, and the allocation with it (RFC 8656 §5), unless its client is mobile.</summary>
    public void StreamClosed(in FiveTuple flow)
    {
        _pending.Remove(flow);
        if (!_allocations.TryGetValue(flow, out var allocation) && !_arriving.TryGetValue(flow, out allocation)) return;
        if (allocation.Mobility is { } mobility) StreamOfMobileClosed(allocation, mobility, flow);
        else End(allocation, AllocationEnd.StreamClosed);
    }

    /// <summary>Ends what has expired. To be called about once a second.</summary>
    public void Sweep(EngineTime time)
    {
        foreach (var allocation in _allocations.Values)
        {
            if (IfLive(allocation, time) is not null) allocation.Sweep(time.Milliseconds);
        }

        _deletions.Sweep(time.Milliseconds);
        SweepPeerConnections(time.Milliseconds);
        reservations.Sweep(time.Milliseconds, RelaysToClose);
    }

    /// <summary>Ends every allocation: the server stops.</summary>
    public void EndAll()
    {
        foreach (var allocation in _allocations.Values) End(allocation, AllocationEnd.ServerStopped);
        reservations.Sweep(long.MaxValue, RelaysToClose);
        _pending.Clear();
    }

    /// <summary>Binding needs no credentials (RFC 8489 §12).</summary>
    private Outcome HandleBinding(in StunMessageReader request, in FiveTuple flow, EngineTime time, Span<byte> reply)
    {
        if (WhyNotAnswer(flow, time) is not DropReason.None and var reason) return Outcome.Drop(reason);
        if (RefuseAttributes(request, default, reply, out var refusal)) return refusal;
        var response = new StunMessageWriter(reply, StunMethod.Binding, StunClass.SuccessResponse, request.TransactionId);
        response.WriteXorAddress(StunAttributeType.XorMappedAddress, flow.Client);
        response.Write(StunAttributeType.Software, _software);
        return Finish(ref response, request, StunMethod.Binding, StunError.None);
    }

    private Outcome HandleRequest(
        in StunMessageReader request, in FiveTuple flow, ClientPath path, EngineTime time, Span<byte> reply)
    {
        if (request.Method == StunMethod.Refresh && _deletions.Find(flow, request.TransactionId, time) is { } deleter)
            return RepeatDeletion(request, flow, deleter, time, reply);
        var allocation = Find(flow, time);
        if (request.Method == StunMethod.Refresh && request.Has(StunAttributeType.MobilityTicket))
            return HandleRefreshWithTicket(request, flow, path, allocation, time, reply);

        // An Allocate is answered here, as it would be there: the 5-tuple is in use.
        if (allocation is null && request.Method != StunMethod.Allocate && EngineElsewhere(flow) is { } engine)
            return Outcome.HandOver(engine);
        var authentication = authenticator.Authenticate(request, flow, allocation?.Credential, time);
        if (authentication.Error != StunError.None) return Challenge(request, flow, authentication.Error, time, reply);

        var proof = authentication.Proof;
        if (RefuseAttributes(request, proof, reply, out var refusal)) return refusal;
        if (request.Method == StunMethod.Allocate) return HandleAllocate(request, flow, path, allocation, proof, time, reply);

        if (allocation is null) return Refuse(request, StunError.AllocationMismatch, proof, reply);
        if (!MayUse(allocation, proof, request.Method)) return Refuse(request, StunError.WrongCredentials, proof, reply);
        var outcome = request.Method switch
        {
            StunMethod.Refresh => HandleRefresh(request, flow, path, allocation, proof, time, reply),
            StunMethod.CreatePermission => HandleCreatePermission(request, allocation, proof, time, reply),
            StunMethod.Connect => HandleConnect(request, allocation, proof, reply),
            _ => HandleChannelBind(request, allocation, proof, time, reply),
        };
        return outcome with { Allocation = allocation };
    }

    /// <summary>
    /// RFC 8656 §5 wants the user name that made the allocation. A Refresh with another valid token may be a renewal, which comes
    /// under another name (RFC 7635 §9). The host decides about it.
    /// </summary>
    private static bool MayUse(Allocation allocation, in Proof proof, StunMethod method) =>
        proof.Credential.IsSameAs(allocation.Credential)
        || (method == StunMethod.Refresh && allocation.Credential.Token is not null && proof.Credential.Token is not null);

    /// <summary>
    /// Whether a sender that has not proved its address may be answered. An answer to one of the server's own listeners might come back
    /// for ever. What else is the server's own (Redis, a collector) speaks other protocols, so its port number may well be that of a
    /// client on the same host. Port 0 and multicast addresses are never a client's.
    /// </summary>
    public bool MayAnswer(in TransportAddress client, in TransportAddress server) =>
        client.Port != 0
        && client != server
        && !(client.Port == server.Port && peerPolicy.IsOwn(client))
        && !PeerPolicy.IsMulticast(client.Address);

    // A handshake has proved the address.
    private DropReason WhyNotAnswer(in FiveTuple flow, EngineTime time)
    {
        if (flow.Transport != ClientTransport.Udp) return DropReason.None;
        if (!MayAnswer(flow.Client, flow.Server)) return DropReason.SourceForbidden;
        return _challenges.TryAcquire(flow.Client.Address, time) ? DropReason.None : DropReason.OverBudget;
    }

    private Allocation? Find(in FiveTuple flow, EngineTime time)
    {
        if (!_allocations.TryGetValue(flow, out var allocation) && !_arriving.TryGetValue(flow, out allocation)) return null;
        return IfLive(allocation, time);
    }

    private Allocation? IfLive(Allocation allocation, EngineTime time)
    {
        if (time.Milliseconds < allocation.ExpiresAt)
        {
            DeleteExpiredFamily(allocation, time);
            return allocation;
        }

        End(allocation, AllocationEnd.Expired);
        return null;
    }

    private bool IsLive(Allocation allocation, EngineTime time) =>
        time.Milliseconds < allocation.ExpiresAt && _allocations.GetValueOrDefault(allocation.FiveTuple) == allocation;

    /// <summary>
    /// Ends an allocation at once; nothing happens when it has ended already, also where another one has its 5-tuple now.
    /// </summary>
    public void End(Allocation allocation, AllocationEnd reason)
    {
        if (_allocations.GetValueOrDefault(allocation.FiveTuple) != allocation) return;
        _allocations.Remove(allocation.FiveTuple);
        ForgetMobility(allocation);
        allocation.End = reason;
        if (allocation.IPv4 is { } ipv4) RelaysToClose.Add(ipv4);
        if (allocation.IPv6 is { } ipv6) RelaysToClose.Add(ipv6);
        EndPeerConnections(allocation);
        Ended.Add(allocation);
    }

    /// <summary>
    /// Refuses a request with an attribute that is unknown (420, RFC 8489 §6.3.1) or has a wrong length (400). The list of the unknown is
    /// bounded, so that a request full of them costs no more than another.
    /// </summary>
    private bool RefuseAttributes(in StunMessageReader request, Proof proof, Span<byte> reply, out Outcome refusal)
    {
        Span<StunAttributeType> unknown = stackalloc StunAttributeType[MaxUnknownReported];
        var count = 0;
        foreach (var attribute in request)
        {
            if (!attribute.Type.IsComprehensionRequired() || IsUnderstood(attribute.Type)) continue;
            if (unknown[..count].Contains(attribute.Type)) continue;
            if (count < unknown.Length) unknown[count++] = attribute.Type;
        }

        var error = count > 0 ? StunError.UnknownAttribute : HasAttributeOfWrongLength(request) ? StunError.BadRequest : StunError.None;
        refusal = error == StunError.None ? default : Refuse(request, error, proof, reply, unknown[..count]);
        return error != StunError.None;
    }

    private bool HasAttributeOfWrongLength(in StunMessageReader message)
    {
        foreach (var (method, type, length) in Lengths)
        {
            if (method == message.Method && message.TryGet(type, out var value) && value.Length != length) return true;
        }

        return settings.DraftAddressFamily && message.Method == StunMethod.Allocate
            && message.TryGet(StunAttributeType.AdditionalAddressFamilyDraft, out var family) && family.Length != 4;
    }

    private bool IsUnderstood(StunAttributeType type) => type switch
    {
        StunAttributeType.AccessToken => authenticator.AcceptsTokens,
        StunAttributeType.DontFragment => settings.DontFragment,
        _ => Understood.Contains(type),
    };

    private bool HasUnknownRequiredAttribute(in StunMessageReader indication)
    {
        foreach (var attribute in indication)
        {
            if (attribute.Type.IsComprehensionRequired() && !IsUnderstood(attribute.Type)) return true;
        }

        return false;
    }

    /// <summary>An answer to a request whose sender is unknown: it carries no integrity (RFC 8489 §9.2.4).</summary>
    private Outcome Challenge(in StunMessageReader request, in FiveTuple flow, StunError error, EngineTime time, Span<byte> reply)
    {
        if (WhyNotAnswer(flow, time) is not DropReason.None and var reason) return Outcome.Drop(reason);
        var response = new StunMessageWriter(reply, request.Method, StunClass.ErrorResponse, request.TransactionId);
        response.WriteErrorCode(error);
        if (error is StunError.Unauthenticated or StunError.StaleNonce) authenticator.WriteChallenge(ref response, flow, time);
        if (error == StunError.UnknownAttribute) response.WriteUnknownAttributes([StunAttributeType.AccessToken]);
        if (IsWorthSoftware(response, request)) response.Write(StunAttributeType.Software, _software);
        return Finish(ref response, request, request.Method, error);
    }

    /// <summary>
    /// SOFTWARE should be there (RFC 8489 §6.3.1.1), but not where it makes an answer to a stranger, whose address may be forged, more
    /// than three times as long as the request.
    /// </summary>
    private bool IsWorthSoftware(in StunMessageWriter response, in StunMessageReader request)
    {
        var fingerprint = request.HasFingerprint ? 8 : 0;
        var length = response.Length + StunHeader.AttributeHeaderLength + StunHeader.Padded(_software.Length) + fingerprint;
        return FrameOverhead + length <= 3 * (FrameOverhead + request.Octets.Length);
    }

    private Outcome Refuse(
        in StunMessageReader request, StunError error, in Proof proof, Span<byte> reply, ReadOnlySpan<StunAttributeType> unknown = default)
    {
        var response = new StunMessageWriter(reply, request.Method, StunClass.ErrorResponse, request.TransactionId);
        response.WriteErrorCode(error);
        if (!unknown.IsEmpty) response.WriteUnknownAttributes(unknown);
        response.Write(StunAttributeType.Software, _software);
        if (proof.Credential is not null) proof.Sign(ref response);
        return Finish(ref response, request, request.Method, error);
    }

    /// <summary>A client that uses FINGERPRINT is answered with one (RFC 8489 §14.7); Chromium, which does not, is spared it.</summary>
    private static Outcome Finish(ref StunMessageWriter response, in StunMessageReader request, StunMethod method, StunError error)
    {
        if (request.HasFingerprint) response.AddFingerprint();
        return Outcome.Reply(response.Length, method, error);
    }
}
