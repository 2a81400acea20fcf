using StackExchange.Redis;
using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Presence;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Telemetry;
using WebRtcIms.EpCscf.Transactions;

namespace WebRtcIms.EpCscf.Server;

/// <summary>
/// This replica among the others. It announces itself, handles their hand-overs, and ends requests to pages of a replica that has died.
/// When Redis has lost its data, it saves the bindings of its connections and the leases of its guests again.
/// </summary>
internal sealed partial class ReplicaService(
    Replicas replicas, HandOvers handOvers, LostBindings lostBindings, Flows flows, Delivery delivery, Cancellation cancellation,
    TransactionTable transactions, ProxiedRequests requests, EndedDialogs ended, OnlineNotifier presence, IBindingStore store,
    GuestLeases leases, IConnectionMultiplexer redis, TimeProvider time, EpCscfTelemetry telemetry, ILogger<ReplicaService> logger)
    : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(3);

    // Bindings that are saved again at a time.
    private const int AtATime = 100;

    private volatile TaskCompletionSource _reconnected = NewSignal();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        redis.ConnectionRestored += (_, _) => _reconnected.TrySetResult();
        var isListening = false;
        var isComplete = true;
        try
        {
            while (true)
            {
                try
                {
                    if (!isListening) await handOvers.ListenAsync(Handle);
                    isListening = true;
                    var announced = await replicas.AnnounceAsync();
                    if (announced.Dead.Count > 0) _ = EndRequestsAsync(announced.Dead.Count, stoppingToken);
                    if (announced.WasUnknown || !isComplete) isComplete = await RestoreAsync();
                }
                catch (Exception error) when (error is not OutOfMemoryException && !stoppingToken.IsCancellationRequested)
                {
                    // Without this service no call leads to another replica. So it goes on after every failure.
                    LogUnavailable(error.GetType().Name);
                    // Redis may have lost its data, and may even know this replica again: only the answer to that was lost.
                    isComplete = false;
                }

                await WaitAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            await handOvers.LeaveAsync();
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    // A Redis that is back may have lost its data. Until they are saved again, calls fail and the WWSF may lease an identity twice.
    private async Task WaitAsync(CancellationToken stopping)
    {
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        await Task.WhenAny(Task.Delay(Interval, time, waiting.Token), _reconnected.Task);
        await waiting.CancelAsync();
        stopping.ThrowIfCancellationRequested();
        if (_reconnected.Task.IsCompleted) _reconnected = NewSignal();
    }

    /// <summary>False if Redis does not answer. Each page would otherwise be away for the others until it registers again.</summary>
    private async Task<bool> RestoreAsync()
    {
        foreach (var some in flows.Registrations.Chunk(AtATime))
        {
            var restored = await Task.WhenAll(
                some.SelectMany(each => (Task<bool>[])[leases.RestoreAsync(each), store.RestoreAsync(each.Binding).AsTask()]));
            if (restored.Contains(false)) return false;
        }

        return true;
    }

    private void Handle(string sender, HandOver handOver)
    {
        switch (handOver.Kind)
        {
            case HandOverKind.Message:
                delivery.SendFor(sender, handOver.Binding, handOver.Octets);
                break;
            case HandOverKind.ForwardedMessage:
                flows.Find(handOver.Binding)?.Send(handOver.Octets);
                break;
            case HandOverKind.Response when Read(handOver) is SipResponse response:
                if (transactions.Find(handOver.Binding.ToString(), response) is { } client) client.Handle(response);
                else telemetry.Dropped("stray_response");
                break;
            case HandOverKind.Undelivered when Read(handOver) is SipRequest request:
                transactions.FindSent(handOver.Binding.ToString(), request)?.OnUndelivered();
                break;
            case HandOverKind.Cancel when Read(handOver) is SipRequest cancel:
                cancellation.HandleFor(sender, handOver.Binding, cancel);
                break;
            case HandOverKind.Cancelled when Read(handOver) is SipRequest cancel:
                cancellation.Confirm(handOver.Binding, cancel);
                break;
            case HandOverKind.DialogEnded:
                ended.Handle(handOver);
                break;
            case HandOverKind.OnlineChanged:
                presence.Refresh();
                break;
            default:
                lostBindings.Handle(handOver);
                break;
        }
    }

    private static SipMessage? Read(HandOver handOver) => SipParser.Parse(handOver.Octets.Span, SipParser.MaxForwardedLength).Message;

    /// <summary>
    /// A dead replica does not answer, so requests to its pages end. They end one interval later: if only Redis was away, the replica has
    /// announced itself again by then.
    /// </summary>
    private async Task EndRequestsAsync(int count, CancellationToken stopping)
    {
        try
        {
            await Task.Delay(Interval, time, stopping);
            LogDead(count);
            foreach (var binding in requests.PendingBindings())
            {
                if (flows.Find(binding) is null && await store.LocateAsync(binding) is null) requests.OnBindingLost(binding);
            }
        }
        catch (Exception error) when (error is OperationCanceledException || RedisAvailability.IsFailure(error))
        {
            // The server stops, or timer C ends the requests.
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "{Count} replica(s) of the eP-CSCF have ended or do not answer any more")]
    private partial void LogDead(int count);

    [LoggerMessage(2, LogLevel.Debug, "Redis does not answer ({Error}); calls with pages of other replicas are not possible")]
    private partial void LogUnavailable(string error);
}
