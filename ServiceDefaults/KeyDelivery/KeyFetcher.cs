using System.Net;
using System.Text;
using System.Threading.Channels;
using StackExchange.Redis;
using WebRtcIms.Contracts;

namespace WebRtcIms.ServiceDefaults.KeyDelivery;

/// <summary>
/// Fetches the long-term keys of this service from the WAF (RFC 7635 §4.1.1): at start, at an interval, and when the WAF publishes that
/// the ring has changed. If a request fails, the known keys stay until they expire.
/// </summary>
public sealed partial class KeyFetcher(
    KeyUse use, IKeyHolder holder, TimeProvider time, ILogger<KeyFetcher> logger, IConnectionMultiplexer? redis)
    : BackgroundService, IHealthCheck
{
    /// <summary>The time that a request may take, from the connection to the end of the body.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    /// <summary>The time until the next request while there are no keys: this service then refuses every token.</summary>
    public static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(1);

    private const int MaxOctets = 65536;

    private readonly KeyDeliverySettings _settings = use.Settings;
    private readonly Channel<bool> _changed =
        Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private long _fetchedAt = time.GetTimestamp();
    private volatile string? _failure = $"{use.Section}:Address: no response has come yet";

    /// <summary>The time since the keys were fetched, or since the start.</summary>
    public TimeSpan Age => time.GetElapsedTime(Interlocked.Read(ref _fetchedAt));

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult((holder.HasKeys, _failure) switch
        {
            (true, null) => HealthCheckResult.Healthy(),
            (true, var failure) => HealthCheckResult.Degraded($"The keys cannot be fetched; the known ones stay. {failure}"),
            (false, null) => HealthCheckResult.Unhealthy("No token is accepted: each key has expired"),
            (false, var failure) => HealthCheckResult.Unhealthy($"No token is accepted: there are no keys. {failure}"),
        });

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        redis?.GetSubscriber().Subscribe(LongTermKeys.Channel, OnChanged, CommandFlags.FireAndForget);
        try
        {
            while (true)
            {
                await FetchAsync(stoppingToken);
                await WaitAsync(holder.HasKeys ? _settings.Interval : RetryInterval, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process stops.
        }
    }

    private void OnChanged(RedisChannel channel, RedisValue name)
    {
        if (name == use.Name) _changed.Writer.TryWrite(true);
    }

    private async Task WaitAsync(TimeSpan interval, CancellationToken stoppingToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        await Task.WhenAny(_changed.Reader.ReadAsync(ended.Token).AsTask(), Task.Delay(interval, time, ended.Token));
        await ended.CancelAsync();
        stoppingToken.ThrowIfCancellationRequested();
    }

    private async Task FetchAsync(CancellationToken stoppingToken)
    {
        var failure = await TryFetchAsync(stoppingToken);
        if (failure is not null && failure != _failure) LogFailed(failure);
        if (failure is null && _failure is not null) LogFetched();
        if (failure is null) Interlocked.Exchange(ref _fetchedAt, time.GetTimestamp());
        _failure = failure;
    }

    /// <summary>Returns what failed, with the setting to look at, or null.</summary>
    private async Task<string?> TryFetchAsync(CancellationToken stoppingToken)
    {
        using var untraced = SuppressInstrumentationScope.Begin();
        using var limit = new CancellationTokenSource(Limit, time);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stoppingToken);
        try
        {
            using var certificate = _settings.LoadCertificate(use.Section);
            using var handler = new SocketsHttpHandler
            {
                // A response from another place is not the WAF's.
                AllowAutoRedirect = false,
                UseCookies = false,
                SslOptions = _settings.TlsOptions(certificate),
            };
            using var client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = MaxOctets };
            using var response = await client.GetAsync(use.Request, ended.Token);
            if (response.StatusCode == HttpStatusCode.Forbidden) return $"{use.Section}:Certificate: the WAF answers 403; {use.Advice}";
            if (!response.IsSuccessStatusCode) return $"{use.Section}:Address: the WAF answers {(int)response.StatusCode}";
            var body = Encoding.UTF8.GetString(await response.Content.ReadAsByteArrayAsync(ended.Token));
            if (LongTermKeys.Parse(body) is not { } keys)
                return $"{use.Section}:Address: the response does not have the form of RFC 7635 §4.1.1";
            return holder.Deliver(keys) is { } problem ? $"{use.Section}:Address: {problem}" : null;
        }
        catch (HttpRequestException error)
        {
            return Describe(error);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            return $"{use.Section}:Address: the WAF does not answer within {Limit.TotalSeconds} s";
        }
        catch (Exception error) when (!stoppingToken.IsCancellationRequested)
        {
            // A file of the settings has been replaced by one that cannot be used.
            return _settings.Problems(use.Section).FirstOrDefault() ?? $"{use.Section}: {error.GetType().Name}";
        }
    }

    private string Describe(HttpRequestException error) => error.HttpRequestError switch
    {
        // The inner message says what is wrong with the certificate.
        HttpRequestError.SecureConnectionError =>
            $"{use.Section}:Authority: TLS with the WAF fails: {(error.InnerException ?? error).Message}",
        HttpRequestError.ConfigurationLimitExceeded => $"{use.Section}:Address: the response has more than {MaxOctets} octets",
        HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError =>
            $"{use.Section}:Address: the WAF cannot be reached ({error.HttpRequestError})",
        _ => $"{use.Section}:Address: the response breaks off",
    };

    [LoggerMessage(1, LogLevel.Warning, "The long-term keys cannot be fetched from the WAF; the known ones stay. {Failure}")]
    private partial void LogFailed(string failure);

    [LoggerMessage(2, LogLevel.Information, "The long-term keys have been fetched from the WAF")]
    private partial void LogFetched();
}
