using WebRtcIms.Turn.Authorization;
using WebRtcIms.Turn.Caching;

namespace WebRtcIms.Turn.Transport;

/// <summary>Lets every server sweep once a second, and ends all allocations when the process stops.</summary>
internal sealed partial class TurnServerService(
    IReadOnlyList<TurnServer> servers, AllocationQuotas quotas, RequestAuthenticator authenticator, TurnMetrics metrics, TimeProvider clock,
    ILogger<TurnServerService> logger, TokenCache? tokens = null) : BackgroundService
{
    // Whoever wants can make up kids: the log is told of one a minute.
    private static readonly TimeSpan ToldInterval = TimeSpan.FromMinutes(1);

    private long? _toldAt;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (tokens is not null) _ = tokens.WarmUpAsync();
        metrics.ObserveAllocations(() => servers.Sum(server => server.AllocationCount));
        metrics.ObserveQuotas(quotas);
        metrics.ObserveClockSkew(authenticator);
        metrics.ObserveUnknownKeys(authenticator);
        if (tokens is not null) metrics.ObserveBreaker(tokens.Breaker);
        foreach (var server in servers) _ = server.ReceiveHandedOverAsync(stoppingToken);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                foreach (var server in servers) server.Sweep();
                TellUnknownKey();
            }
        }
        catch (OperationCanceledException)
        {
            foreach (var server in servers) server.EndAll();
        }
    }

    private void TellUnknownKey()
    {
        if (_toldAt is { } told && clock.GetElapsedTime(told) < ToldInterval) return;
        if (authenticator.TakeUnknownKeyId() is not { } keyId) return;
        _toldAt = clock.GetTimestamp();
        LogUnknownKey(keyId, authenticator.UnknownKeys);
    }

    [LoggerMessage(1, LogLevel.Warning, "A token came under the key {Kid}, which this node does not have; {Requests} such requests so far. If the WAF makes tokens under it, add it to Turn:Keys")]
    private partial void LogUnknownKey(string kid, long requests);
}
