using StackExchange.Redis;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.EpCscf.Transactions;
using WebRtcIms.EpCscf.WebSockets;

namespace WebRtcIms.EpCscf.Replicas;

/// <summary>
/// This replica among the others: says that it is alive, does what they hand over, and gives up waiting for pages that were connected
/// to one that has died.
/// </summary>
internal sealed partial class ReplicaService(
    RedisReplicas replicas, Flows flows, Delivery delivery, Cancellation cancellation, TransactionTable transactions, ProxiedRequests requests, IBindingStore store,
    TimeProvider time, EpCscfTelemetry telemetry, ILogger<ReplicaService> logger) : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(3);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var isListening = false;
        try
        {
            while (true)
            {
                try
                {
                    if (!isListening) await replicas.ListenAsync(Take);
                    isListening = true;
                    if (await replicas.AnnounceAsync() is { Count: > 0 } lost) _ = ForgetAsync(lost, stoppingToken);
                }
                catch (Exception error) when (error is RedisException or TimeoutException or ObjectDisposedException)
                {
                    LogOut(error.GetType().Name);
                }

                await Task.Delay(Interval, time, stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            await replicas.LeaveAsync();
        }
    }

    private void Take(string sender, HandOver handOver)
    {
        switch (handOver.Kind)
        {
            case HandOverKind.Message:
                delivery.SendFor(sender, handOver.Binding, handOver.Octets);
                break;
            case HandOverKind.ForwardedMessage:
                flows.Find(handOver.Binding)?.Send(handOver.Octets);
                break;
            case HandOverKind.Response when SipParser.Parse(handOver.Octets.Span).Message is SipResponse response:
                if (transactions.Find(handOver.Binding.ToString(), response) is { } answered) answered.Take(response);
                else telemetry.Dropped("stray_response");
                break;
            case HandOverKind.Undelivered when SipParser.Parse(handOver.Octets.Span).Message is SipRequest request:
                transactions.FindSent(handOver.Binding.ToString(), request)?.Undelivered();
                break;
            case HandOverKind.Cancel when SipParser.Parse(handOver.Octets.Span).Message is SipRequest cancel:
                cancellation.TakeFor(sender, handOver.Binding, cancel);
                break;
            case HandOverKind.Cancelled when SipParser.Parse(handOver.Octets.Span).Message is SipRequest cancel:
                cancellation.Done(handOver.Binding, cancel);
                break;
            case HandOverKind.Replaced:
                if (flows.Find(handOver.Binding) is { } left && left.Id == System.Text.Encoding.ASCII.GetString(handOver.Octets.Span))
                    left.Close(CloseCode.Replaced, "connected again");
                break;
            case HandOverKind.Removed:
                if (flows.Find(handOver.Binding) is { } unbound) flows.Unbind(unbound);
                break;
            case HandOverKind.Lost:
                requests.PlaceLost(handOver.Binding);
                break;
            case HandOverKind.SignedOut:
                flows.Find(handOver.Binding)?.Close(CloseCode.SignedOut, "signed out");
                requests.PlaceLost(handOver.Binding);
                break;
        }
    }

    /// <summary>
    /// What rings at, or waits for, a replica that has died will not be answered. When only Redis was away, the replica has said
    /// meanwhile that it is alive.
    /// </summary>
    private async Task ForgetAsync(IReadOnlyList<string> lost, CancellationToken stopping)
    {
        try
        {
            await Task.Delay(Interval, time, stopping);
            LogLost(lost.Count);
            foreach (var place in requests.Places())
            {
                if (flows.Find(place) is null && await store.LocateAsync(place) is null) requests.PlaceLost(place);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or RedisException or TimeoutException)
        {
            // The server stops, or what rings goes on until timer C.
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "{Count} replica(s) of the eP-CSCF have ended or do not answer any more")]
    private partial void LogLost(int count);

    [LoggerMessage(2, LogLevel.Debug, "Redis does not answer ({Error}); calls with pages of other replicas are not possible")]
    private partial void LogOut(string error);
}
