using System.Diagnostics;
using WebRtcIms.Contracts;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Telemetry;

namespace WebRtcIms.Turn.Hosting;

/// <summary>
/// Runs one engine: gives it packets and the time, one at a time, and carries out its decisions.
/// </summary>
internal sealed partial class EngineHost(
    TurnEngine engine,
    AllocationAdmission admission,
    TurnMetrics metrics,
    TimeProvider time,
    ILogger<EngineHost> logger)
{
    [ThreadStatic]
    private static byte[]? _replyBuffer;

    private readonly Lock _gate = new();
    private readonly RelayCounter _toPeers = metrics.ToPeers.Add();
    private readonly RelayCounter _toClients = metrics.ToClients.Add();

    private static Span<byte> ReplyBuffer => _replyBuffer ??= new byte[TurnEngine.ReplyBufferLength];

    public EngineTime Now => new((long)time.GetElapsedTime(0).TotalMilliseconds, time.GetUtcNow());

    /// <summary>The transport that relays UDP for this engine; set before the first packet.</summary>
    public IRelayTransport Transport { get; set; } = null!;

    /// <summary>The transport of TCP allocations; set before the first packet.</summary>
    public ITcpRelayTransport TcpRelays { get; set; } = null!;

    /// <summary>Queues the packets of this host's allocations that reach another worker (RFC 8016).</summary>
    public HandOver HandOver { get; } = new(() => metrics.CountDrops(DropReason.Busy, 1));

    /// <summary>All hosts of this process, by the number of their engine; set before the first packet.</summary>
    public IReadOnlyList<EngineHost> Workers { get; set; } = [];

    /// <summary>
    /// Enters the gate for a whole batch. Relays are only closed under the gate, so their descriptors stay valid while it is held.
    /// </summary>
    public Lock.Scope EnterGate() => _gate.EnterScope();

    /// <summary>Handles one datagram, or one message of a stream, from a client.</summary>
    /// <returns>The connection with a peer that the client's stream carries from now on (RFC 6062 §5.4); null for all other
    /// messages.</returns>
    public PeerConnection? Receive(ReadOnlySpan<byte> packet, in FiveTuple flow, ClientPath path)
    {
        lock (_gate)
        {
            if (TryRoute(packet, flow, path, Now, out var outcome))
                outcome.Relay!.Send(outcome.Peer, packet.Slice(outcome.Offset, outcome.Length));
            return outcome.Kind == OutcomeKind.Bind ? outcome.Connection : null;
        }
    }

    /// <summary>
    /// Handles a packet from a client. True if a part of it must be sent to a peer, as the outcome says; everything else is done. The
    /// gate is held.
    /// </summary>
    public bool TryRoute(ReadOnlySpan<byte> packet, in FiveTuple flow, ClientPath path, EngineTime time, out Outcome outcome)
    {
        outcome = default;
        var reply = ReplyBuffer;
        try
        {
            outcome = engine.HandleClient(packet, flow, path, time, reply);
            CloseWhatEnded();
            switch (outcome.Kind)
            {
                case OutcomeKind.ToPeer when outcome.DontFragment:
                    outcome.Relay!.SendUnfragmented(outcome.Peer, packet.Slice(outcome.Offset, outcome.Length));
                    _toPeers.Count(outcome.Length);
                    return false;
                case OutcomeKind.ToPeer:
                    _toPeers.Count(outcome.Length);
                    return true;
                case OutcomeKind.Reply:
                    path.Send(flow.Client, reply[..outcome.Length]);
                    metrics.CountRequest(outcome.Method, outcome.Error);

                    // A retransmitted Allocate already has a span.
                    if (outcome.Method != StunMethod.Allocate && outcome.Allocation?.Lease is AllocationRecord record)
                        AllocationSpans.StartRequest(record.Trace, outcome.Method, outcome.Error, time.Utc)?.Dispose();
                    return false;
                case OutcomeKind.HandOver:
                    Workers[outcome.Engine].HandOver.Add(packet, flow, path);
                    return false;
                case OutcomeKind.Decide:
                    Expect(path, DecideAsync(outcome.Pending!));
                    return false;
                case OutcomeKind.Renew:
                    Expect(path, RenewAsync(outcome.Renewal!));
                    return false;
                case OutcomeKind.Connect:
                    Expect(path, ConnectAsync(outcome.Connection!, outcome.Peer));
                    return false;
                case OutcomeKind.Bind:
                    path.Send(flow.Client, reply[..outcome.Length]);
                    metrics.CountRequest(outcome.Method, outcome.Error);
                    return false;
                default:
                    metrics.CountDrops(outcome.DropReason, 1);
                    return false;
            }
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // One bad packet must not stop the service of all others.
            Failed(error);
            return false;
        }
    }

    /// <summary>Takes a datagram from a peer and sends it on to the allocation's client.</summary>
    public void ReceiveFromPeer(Allocation allocation, in TransportAddress peer, Span<byte> buffer)
    {
        ClientFlow client;
        Outcome outcome;
        lock (_gate)
        {
            if (!TryRouteFromPeer(allocation, peer, buffer, Now, out outcome)) return;

            // The path of a mobile client may change outside the gate.
            client = allocation.Client;
        }

        client.Send(buffer.Slice(outcome.Offset, outcome.Length));
    }

    /// <summary>
    /// Handles a datagram from a peer, with the engine's room around it. True if a part of the buffer must be sent to the allocation's
    /// client, as the outcome says. The gate is held.
    /// </summary>
    public bool TryRouteFromPeer(Allocation allocation, in TransportAddress peer, Span<byte> buffer, EngineTime time, out Outcome outcome)
    {
        outcome = default;
        try
        {
            outcome = engine.HandlePeer(allocation, peer, buffer, time);
            if (outcome.Kind == OutcomeKind.ToClient)
            {
                _toClients.Count(buffer.Length - TurnEngine.Headroom - TurnEngine.Tailroom);
                return true;
            }

            metrics.CountDrops(outcome.DropReason, 1);
            return false;
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            Failed(error);
            return false;
        }
    }

    private static void Expect(ClientPath path, Task answer)
    {
        if (!answer.IsCompleted && path is IExpectsAnswers waiting) waiting.Expect(answer);
    }

    private void Failed(Exception error)
    {
        metrics.CountDrops(DropReason.Failed, 1);
        LogPacketFailed(error);
    }

    /// <summary>Tells a client what the network said about a datagram of its relay.</summary>
    public void ReceiveIcmp(Allocation allocation, in TransportAddress peer, IcmpError error)
    {
        var reply = ReplyBuffer;
        try
        {
            Outcome outcome;
            ClientFlow client;
            lock (_gate)
            {
                outcome = engine.HandleIcmp(allocation, peer, error, Now, reply);
                client = allocation.Client;
            }

            if (outcome.Kind == OutcomeKind.ToClient) client.Send(reply[..outcome.Length]);
            else metrics.CountDrops(outcome.DropReason, 1);
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            Failed(failure);
        }
    }

    /// <summary>Whether a sender may be answered before it has proved its address. Counts the datagram if it may not.</summary>
    public bool MayAnswer(in TransportAddress client, in TransportAddress server)
    {
        var may = engine.MayAnswer(client, server);
        if (!may) metrics.CountDrops(DropReason.SourceForbidden, 1);
        return may;
    }

    public int AllocationCount => engine.AllocationCount;

    public bool Knows(in FiveTuple flow)
    {
        lock (_gate) return engine.Knows(flow);
    }

    /// <summary>The live allocations, with what is kept with them, as they are now.</summary>
    public List<(Allocation Allocation, AllocationRecord Record)> Allocations()
    {
        lock (_gate) return [.. engine.Allocations.Select(allocation => (allocation, (AllocationRecord)allocation.Lease!))];
    }

    /// <summary>Ends all allocations that match, at once; how many those were.</summary>
    public int End(Func<Allocation, AllocationRecord, bool> matches, AllocationEnd reason)
    {
        lock (_gate)
        {
            var ending = engine.Allocations.Where(allocation => matches(allocation, (AllocationRecord)allocation.Lease!)).ToList();
            foreach (var allocation in ending) engine.End(allocation, reason);
            CloseWhatEnded();
            return ending.Count;
        }
    }

    /// <summary>A client's stream has ended.</summary>
    public void StreamClosed(in FiveTuple flow)
    {
        lock (_gate)
        {
            engine.StreamClosed(flow);
            CloseWhatEnded();
        }

        if (engine.EngineElsewhere(flow) is { } other) Workers[other].StreamClosed(flow);
    }

    /// <summary>Handles the packets that other workers hand over, until the process ends.</summary>
    public Task ReceiveHandedOverAsync(CancellationToken stopping) => HandOver.ReceiveAsync(
        (ReadOnlySpan<byte> packet, in FiveTuple flow, ClientPath path) =>
            _ = Receive(packet, flow, Transport.PathFor(flow, path)), stopping);

    /// <summary>Ends what has expired.</summary>
    public void Sweep()
    {
        lock (_gate)
        {
            engine.Sweep(Now);
            CloseWhatEnded();
        }
    }

    /// <summary>Ends every allocation.</summary>
    public void EndAll()
    {
        lock (_gate)
        {
            engine.EndAll();
            CloseWhatEnded();
        }
    }

    /// <summary>Asks the caches, binds the relay and answers: the slow part of an Allocate, off the packet path.</summary>
    private async Task DecideAsync(PendingAllocation pending)
    {
        var began = time.GetTimestamp();
        try
        {
            var admitted = await admission.AdmitAsync(pending).ConfigureAwait(false);
            using var activity = admitted.Activity;

            // Measurements from here on have this span as their exemplar.
            if (activity is not null) Activity.Current = activity;
            var error = Answer(pending, BindRelays(pending, admitted), activity);
            metrics.RecordAllocation(time.GetElapsedTime(began), error);
            if (error == StunError.None) AllocationLog.Made(logger, pending, admitted.Grant);
            else AllocationLog.Refused(logger, pending, admitted.Grant, error, admitted.Reason);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            LogPacketFailed(error);
            Answer(pending, new AllocationDecision(StunError.ServerError), null);
        }
    }

    private AllocationDecision BindRelays(PendingAllocation pending, AdmissionResult admitted)
    {
        if (admitted.Error != StunError.None) return new AllocationDecision(admitted.Error) { AlternateServer = admitted.AlternateServer };
        AllocationDecision decision;
        try
        {
            decision = pending.Reserved is { } reserved
                ? AllocationDecision.Of(reserved) : TransportOf(pending).Bind(pending.Relays, pending.FiveTuple.Server.Address);
        }
        catch
        {
            admitted.Lease?.Dispose();
            throw;
        }

        if (decision.Error != StunError.None) admitted.Lease?.Dispose();
        var trace = admitted.Activity is { Recorded: true } activity ? activity.Context : (ActivityContext?)null;
        var record =
            new AllocationRecord(admitted.Lease, pending.Proof.Credential.Token, trace, time.GetUtcNow())
            {
                Grant = admitted.Grant,
                IsGrantUnknown = admitted.IsGrantUnknown,
            };
        return decision with
        {
            Lease = record,
            Traffic = admitted.Traffic,
            UserTraffic = admitted.Lease?.UserTraffic,
            AddressTraffic = admitted.Lease?.AddressTraffic,
        };
    }

    /// <returns>The error that the client got.</returns>
    private StunError Answer(PendingAllocation pending, AllocationDecision decision, Activity? activity)
    {
        var reply = ReplyBuffer;
        Outcome outcome;
        lock (_gate)
        {
            outcome = engine.Complete(pending, decision, Now, reply);
            if (outcome.Allocation is { } allocation && Start(pending, allocation) is not StunError.None and var error)
                outcome = engine.Withdraw(allocation, pending, error, Now, reply);
            CloseWhatEnded();
        }

        if (outcome.Kind != OutcomeKind.Reply)
        {
            // The client's stream closed while the decision was pending.
            (decision.Lease as IDisposable)?.Dispose();
            return decision.Error;
        }

        pending.Path.Send(pending.FiveTuple.Client, reply[..outcome.Length]);
        metrics.CountRequest(outcome.Method, outcome.Error);
        activity?.SetTag("turn.error_code", (int)outcome.Error);
        activity?.SetStatus(outcome.Error == StunError.None ? ActivityStatusCode.Ok : ActivityStatusCode.Error, outcome.Error.ToString());
        return outcome.Error;
    }

    // Receiving starts before the client knows the address, so that no early datagram is lost.
    private StunError Start(PendingAllocation pending, Allocation allocation)
    {
        // A revocation that came while the Allocate was being decided has not found this allocation.
        var record = allocation.Lease as AllocationRecord;
        if (admission.IsRevoked(allocation.Credential, record?.Grant)) return StunError.Unauthenticated;
        var transport = TransportOf(pending);
        try
        {
            if (allocation.IPv4 is { } ipv4) transport.Start(ipv4, allocation);
            if (allocation.IPv6 is { } ipv6) transport.Start(ipv6, allocation);
            return StunError.None;
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            LogPacketFailed(error);
            return StunError.ServerError;
        }
    }

    /// <summary>Decides a Refresh with another token, off the packet path.</summary>
    private async Task RenewAsync(PendingRenewal renewal)
    {
        var started = time.GetUtcNow();
        var grant = ((AllocationRecord)renewal.Allocation.Lease!).Grant;
        try
        {
            Answer(renewal, await admission.CheckRenewalAsync(renewal.Proof.Credential, grant).ConfigureAwait(false), started);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            Failed(error);
            Answer(renewal, new RenewalResult(StunError.ServerError), started);
        }
    }

    private void Answer(PendingRenewal renewal, RenewalResult result, DateTimeOffset started)
    {
        var record = (AllocationRecord)renewal.Allocation.Lease!;
        var credential = renewal.Proof.Credential;
        var reply = ReplyBuffer;
        Outcome outcome;
        lock (_gate)
        {
            outcome = engine.CompleteRenewal(renewal, result.Error, Now, reply);
            if (outcome.Error == StunError.None)
            {
                record.Token = credential.Token;
                record.IsGrantUnknown = result.Answer is { IsAvailable: false };
                if (result.Answer?.Grant is { } grant) SetGrant(renewal.Allocation, record, grant);
                EndIfRevoked(renewal.Allocation, record);
            }
        }

        renewal.Client.Send(reply[..outcome.Length]);
        metrics.CountRequest(outcome.Method, outcome.Error);
        using var activity = AllocationSpans.StartRenewal(
            record.Trace, credential.Token!, outcome.Error, result.Answer?.Grant?.Traceparent, started);
        result.Answer?.Record(activity);
    }

    /// <summary>
    /// Asks again for the grants that Redis did not answer about, so that the revocation of a session finds all its allocations.
    /// </summary>
    public async Task ReadUnknownGrantsAsync()
    {
        try
        {
            foreach (var (allocation, record) in AllocationsWithUnknownGrant())
            {
                var token = record.Token!;
                if (await admission.ReadGrantAsync(token).ConfigureAwait(false) is not { } answer) continue;
                lock (_gate)
                {
                    // The client may have renewed meanwhile.
                    if (record.Token != token) continue;
                    record.IsGrantUnknown = false;
                    if (answer.Grant is { } grant) SetGrant(allocation, record, grant);
                    EndIfRevoked(allocation, record, answer.IsRevoked);
                }
            }
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            Failed(error);
        }
    }

    // Usually none, and it is asked each second: the others are not collected.
    private List<(Allocation Allocation, AllocationRecord Record)> AllocationsWithUnknownGrant()
    {
        List<(Allocation, AllocationRecord)> found = [];
        lock (_gate)
        {
            foreach (var allocation in engine.Allocations)
            {
                if (allocation.Lease is AllocationRecord { IsGrantUnknown: true, Token: not null } record) found.Add((allocation, record));
            }
        }

        return found;
    }

    private void SetGrant(Allocation allocation, AllocationRecord record, Grant grant)
    {
        record.Grant = grant;
        engine.Limit(allocation, admission.TrafficOf(grant));
    }

    private void EndIfRevoked(Allocation allocation, AllocationRecord record, bool isRevoked = false)
    {
        if (!isRevoked && !admission.IsRevoked(allocation.Credential, record.Grant)) return;
        engine.End(allocation, AllocationEnd.Revoked);
        CloseWhatEnded();
    }

    private IRelayTransport TransportOf(PendingAllocation pending) => pending.Relays.IsTcp ? TcpRelays : Transport;

    private void CloseWhatEnded()
    {
        if (engine.RelaysToClose.Count == 0 && engine.Ended.Count == 0 && engine.PeerTransportsToClose.Count == 0) return;
        foreach (var relay in engine.RelaysToClose) relay.Dispose();
        engine.RelaysToClose.Clear();
        foreach (var stream in engine.PeerTransportsToClose) stream.Dispose();
        engine.PeerTransportsToClose.Clear();
        foreach (var allocation in engine.Ended)
        {
            if (allocation.Lease is not AllocationRecord record) continue;
            using (AllocationSpans.StartEnd(allocation, record.Trace, record.Since, record.Token?.KeyId))
                AllocationLog.Ended(logger, allocation, record.Grant, time.GetUtcNow() - record.Since);
            record.Dispose();
        }

        engine.Ended.Clear();
    }

    [LoggerMessage(1, LogLevel.Error, "A packet could not be handled; the server goes on")]
    private partial void LogPacketFailed(Exception error);
}
