using WebRtcIms.Turn.Authorization;
using WebRtcIms.Turn.Caching;

namespace WebRtcIms.Turn.Transport;

/// <summary>Lets every server sweep once a second, and ends all allocations when the process stops.</summary>
internal sealed class TurnServerService(
    IReadOnlyList<TurnServer> servers, AllocationQuotas quotas, RequestAuthenticator authenticator, TurnMetrics metrics, TimeProvider clock, TokenCache? tokens = null) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (tokens is not null) _ = tokens.WarmUpAsync();
        metrics.ObserveAllocations(() => servers.Sum(server => server.AllocationCount));
        metrics.ObserveQuotas(quotas);
        metrics.ObserveClockSkew(authenticator);
        if (tokens is not null) metrics.ObserveBreaker(tokens.Breaker);
        foreach (var server in servers) _ = server.ReceiveHandedOverAsync(stoppingToken);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                foreach (var server in servers) server.Sweep();
            }
        }
        catch (OperationCanceledException)
        {
            foreach (var server in servers) server.EndAll();
        }
    }
}
