using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Authentication;

namespace WebRtcIms.Turn.Hosting;

/// <summary>Lets every host sweep once a second, and ends all allocations when the process stops.</summary>
internal sealed partial class EngineHostService(
    IReadOnlyList<EngineHost> hosts, RequestAuthenticator authenticator, TimeProvider time, ILogger<EngineHostService> logger,
    TokenCache? tokens = null) : BackgroundService
{
    // A client can send any kid, so at most one a minute is logged.
    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private long? _loggedAt;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (tokens is not null) _ = tokens.WarmUpAsync();
        foreach (var host in hosts) _ = host.ReceiveHandedOverAsync(stoppingToken);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                foreach (var host in hosts)
                {
                    host.Sweep();
                    await host.ReadUnknownGrantsAsync();
                }

                LogUnknownKeys();
            }
        }
        catch (OperationCanceledException)
        {
            foreach (var host in hosts) host.EndAll();
        }
    }

    /// <summary>Logs one kid that this node does not have, if one came and none was logged within the last minute.</summary>
    public void LogUnknownKeys()
    {
        if (_loggedAt is { } logged && time.GetElapsedTime(logged) < LogInterval) return;
        if (authenticator.RemoveUnknownKeyId() is not { } keyId) return;
        _loggedAt = time.GetTimestamp();
        LogUnknownKey(keyId, authenticator.UnknownKeys);
    }

    [LoggerMessage(
        1, LogLevel.Warning,
        "A token came under the key {Kid}, which this node does not have; {Requests} such requests so far. " +
        "If the WAF makes tokens under it, add it to Turn:Keys")]
    private partial void LogUnknownKey(string kid, long requests);
}
