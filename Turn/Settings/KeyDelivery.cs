using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;
using WebRtcIms.Contracts;

namespace WebRtcIms.Turn.Settings;

/// <summary>
/// Fetches the long-term keys of this server from the WAF (RFC 7635 §4.1.1): at start, at an interval, and when the WAF publishes that the
/// ring has changed. If a request fails, the known keys stay until they expire.
/// </summary>
internal sealed partial class KeyDelivery(
    TurnSettings settings, KeyReload reload, TimeProvider time, ILogger<KeyDelivery> logger, IConnectionMultiplexer? redis = null)
    : BackgroundService, IHealthCheck
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    // A failed first request is repeated soon: without keys this server refuses every token.
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    private readonly KeyDeliverySettings _settings = settings.KeyDelivery!;
    private readonly SemaphoreSlim _changed = new(0, 1);
    private volatile string? _failure = "the keys have not been fetched yet";

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_failure is not { } failure ? HealthCheckResult.Healthy()
            : reload.HasKeys ? HealthCheckResult.Degraded($"The keys cannot be fetched from the WAF; the known ones stay: {failure}")
            : HealthCheckResult.Unhealthy($"There are no keys yet: {failure}"));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        redis?.GetSubscriber().Subscribe(LongTermKeys.Channel, OnChanged, CommandFlags.FireAndForget);
        try
        {
            while (true)
            {
                await FetchAsync(stoppingToken);
                await WaitAsync(reload.HasKeys ? _settings.Interval : RetryInterval, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process stops.
        }
    }

    private void OnChanged(RedisChannel channel, RedisValue name)
    {
        if (name == settings.ServerName && _changed.CurrentCount == 0) _changed.Release();
    }

    private async Task WaitAsync(TimeSpan interval, CancellationToken stoppingToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        await Task.WhenAny(_changed.WaitAsync(ended.Token), Task.Delay(interval, time, ended.Token));
        await ended.CancelAsync();
        stoppingToken.ThrowIfCancellationRequested();
    }

    private async Task FetchAsync(CancellationToken stoppingToken)
    {
        var failure = await TryFetchAsync(stoppingToken);
        if (failure is not null && failure != _failure) LogFailed(failure);
        if (failure is null && _failure is not null) LogFetched();
        _failure = failure;
    }

    /// <summary>What failed, or null.</summary>
    private async Task<string?> TryFetchAsync(CancellationToken stoppingToken)
    {
        try
        {
            using var handler = new SocketsHttpHandler { SslOptions = _settings.TlsOptions() };
            using var client = new HttpClient(handler) { Timeout = Limit };
            var query = $"?service=turn&name={Uri.EscapeDataString(settings.ServerName)}";
            using var response = await client.GetAsync(new Uri(new Uri(_settings.Address), LongTermKeys.Path + query), stoppingToken);
            if (!response.IsSuccessStatusCode) return $"the WAF answers {(int)response.StatusCode}";
            if (LongTermKeys.Parse(await response.Content.ReadAsStringAsync(stoppingToken)) is not { } keys)
                return "the response does not have the form of RFC 7635 §4.1.1";
            return reload.Deliver(keys);
        }
        catch (HttpRequestException error)
        {
            return $"{error.HttpRequestError}: {error.Message}";
        }
        catch (Exception error) when (!stoppingToken.IsCancellationRequested)
        {
            // A file that cannot be read now, or a time-out.
            return error.GetType().Name;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "The long-term keys cannot be fetched from the WAF; the known ones stay. {Failure}")]
    private partial void LogFailed(string failure);

    [LoggerMessage(2, LogLevel.Information, "The long-term keys have been fetched from the WAF")]
    private partial void LogFetched();
}
