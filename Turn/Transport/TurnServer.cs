using System.Diagnostics;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Authorization;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn.Transport;

/// <summary>
/// The engine's host: gives it packets and the time, one at a time, and does what it says.
/// </summary>
internal sealed partial class TurnServer(
    TurnEngine engine,
    RelaySockets relays,
    AllocationAdmission admission,
    TurnMetrics metrics,
    TimeProvider clock,
    ILogger<TurnServer> logger) : BackgroundService
{
    [ThreadStatic]
    private static byte[]? _replyBuffer;

    private readonly Lock _gate = new();

    private static Span<byte> ReplyBuffer => _replyBuffer ??= new byte[TurnEngine.ReplyBufferLength];

    private EngineTime Now => EngineTime.From(clock);

    /// <summary>Takes one datagram, or one message of a stream, from a client.</summary>
    public void Receive(ReadOnlySpan<byte> packet, in FiveTuple flow, ClientPath path)
    {
        var reply = ReplyBuffer;
        try
        {
            Outcome outcome;
            lock (_gate)
            {
                outcome = engine.HandleClient(packet, flow, path, Now, reply);
                CloseWhatEnded();
            }

            switch (outcome.Kind)
            {
                case OutcomeKind.Reply:
                    path.Send(flow.Client, reply[..outcome.Length]);
                    metrics.CountRequest(outcome.Method, outcome.Error);
                    break;
                case OutcomeKind.ToPeer:
                    outcome.Relay!.Send(outcome.Peer, packet.Slice(outcome.Offset, outcome.Length));
                    metrics.ToPeers.Count(outcome.Length);
                    break;
                case OutcomeKind.Decide:
                    _ = DecideAsync(outcome.Pending!);
                    break;
                default:
                    metrics.CountDrop(outcome.DropReason);
                    break;
            }
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // One packet must not end the service of all others.
            LogPacketFailed(error);
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
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        metrics.ObserveAllocations(() => engine.AllocationCount);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) Sweep();
        }
        catch (OperationCanceledException)
        {
            lock (_gate)
            {
                engine.EndAll();
                CloseWhatEnded();
            }
        }
    }

    private void Sweep()
    {
        lock (_gate)
        {
            engine.Sweep(Now);
            CloseWhatEnded();
        }
    }

    private void ReceiveFromPeer(Allocation allocation, in TransportAddress peer, Span<byte> buffer)
    {
        try
        {
            Outcome outcome;
            lock (_gate) outcome = engine.HandlePeer(allocation, peer, buffer, Now);
            if (outcome.Kind != OutcomeKind.ToClient)
            {
                metrics.CountDrop(outcome.DropReason);
                return;
            }

            allocation.Path.Send(allocation.FiveTuple.Client, buffer.Slice(outcome.Offset, outcome.Length));
            metrics.ToClients.Count(buffer.Length - TurnEngine.Headroom - TurnEngine.Tailroom);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            LogPacketFailed(error);
        }
    }

    /// <summary>Asks the caches, binds the relay and answers: the slow part of an Allocate, off the packet path.</summary>
    private async Task DecideAsync(PendingAllocation pending)
    {
        try
        {
            var admitted = await admission.AdmitAsync(pending).ConfigureAwait(false);
            using var activity = admitted.Activity;
            var decision = BindRelays(pending, admitted);
            Answer(pending, decision, activity);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            LogPacketFailed(error);
            Answer(pending, new AllocationDecision(StunError.ServerError), null);
        }
    }

    private AllocationDecision BindRelays(PendingAllocation pending, Admission admitted)
    {
        if (admitted.Error != StunError.None) return new AllocationDecision(admitted.Error);
        var decision = pending.Reserved is { } reserved
            ? new AllocationDecision(StunError.None, reserved)
            : relays.Bind(pending.Relays, ReceiveFromPeer);
        if (decision.Error != StunError.None) admitted.Lease?.Dispose();
        return decision with { Lease = admitted.Lease };
    }

    private void Answer(PendingAllocation pending, AllocationDecision decision, Activity? activity)
    {
        var reply = ReplyBuffer;
        Outcome outcome;
        lock (_gate)
        {
            outcome = engine.Complete(pending, decision, Now, reply);
            CloseWhatEnded();
        }

        if (outcome.Kind != OutcomeKind.Reply)
        {
            // The client's stream closed while the decision was pending.
            (decision.Lease as IDisposable)?.Dispose();
            return;
        }

        // Receiving starts before the client knows the address, so that no early datagram is lost.
        if (outcome.Allocation is { } allocation)
        {
            allocation.IPv4?.Start(allocation);
            allocation.IPv6?.Start(allocation);
        }

        pending.Path.Send(pending.FiveTuple.Client, reply[..outcome.Length]);
        metrics.CountRequest(outcome.Method, outcome.Error);
        activity?.SetTag("turn.error_code", (int)outcome.Error);
        activity?.SetStatus(outcome.Error == StunError.None ? ActivityStatusCode.Ok : ActivityStatusCode.Error, outcome.Error.ToString());
    }

    private void CloseWhatEnded()
    {
        foreach (var relay in engine.RelaysToClose) relay.Dispose();
        engine.RelaysToClose.Clear();
        foreach (var allocation in engine.Ended) (allocation.Lease as IDisposable)?.Dispose();
        engine.Ended.Clear();
    }

    [LoggerMessage(1, LogLevel.Error, "A packet could not be handled; the server goes on")]
    private partial void LogPacketFailed(Exception error);
}
