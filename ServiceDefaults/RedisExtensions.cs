using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Aspire's Redis client for <c>ConnectionStrings:redis</c>, set up for services that go on without Redis. It may be down at any time, also
/// at start: commands then fail at once instead of waiting in a queue, and <c>/health</c> says Degraded.
/// </summary>
public static class RedisExtensions
{
    private const string ConnectionName = "redis";
    private const string AspireHealthCheck = "StackExchange.Redis";

    // In milliseconds. The connection string may have another: asyncTimeout and syncTimeout.
    private const int CommandTimeout = 250;

    /// <summary>
    /// Registers <see cref="IConnectionMultiplexer"/> when <c>ConnectionStrings:redis</c> is set. Returns false when it is not: the service
    /// then keeps its state in memory and logs that it does.
    /// </summary>
    public static bool TryAddRedisClient(this IHostApplicationBuilder builder)
    {
        if (RedisAddress.Problem(builder.Configuration) is { } problem) throw SettingsException.Of([problem]);
        if (RedisAddress.Read(builder.Configuration) is not { } address) return false;

        // Our RedisCommand makes the spans: Aspire's come up to 10 s late and never say that a command failed
        // (docs/adr/0002-redis-spans.md).
        // Aspire's client does not read the form of a URL, and a password of a URL may have a comma, which the other form cannot express.
        var isUrl = builder.Configuration.GetConnectionString(ConnectionName)!.Contains("://", StringComparison.Ordinal);
        builder.AddRedisClient(
            ConnectionName,
            settings =>
            {
                settings.DisableTracing = true;
                if (isUrl) settings.ConnectionString = "localhost";
            },
            options =>
            {
                if (isUrl) Copy(address, options);
                FailFast(options);
            });
        builder.Services.AddActivatedSingleton<RedisGauge>();
        builder.Services.PostConfigure<HealthCheckServiceOptions>(health =>
        {
            var check = health.Registrations.Single(check => check.Name == AspireHealthCheck);
            (check.Name, check.FailureStatus) = (ConnectionName, HealthStatus.Degraded);
        });
        return true;
    }

    private static void Copy(ConfigurationOptions url, ConfigurationOptions options)
    {
        options.EndPoints.Clear();
        foreach (var endpoint in url.EndPoints) options.EndPoints.Add(endpoint);
        (options.User, options.Password) = (url.User, url.Password);
        (options.Ssl, options.SslHost, options.DefaultDatabase) = (url.Ssl, url.SslHost, url.DefaultDatabase);
    }

    private static void FailFast(ConfigurationOptions options)
    {
        // The client logs each step of each connection attempt. RedisAvailability logs that Redis is away, and that it is back.
        options.LoggerFactory = NullLoggerFactory.Instance;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.ConnectTimeout = 1000;
        var defaults = new ConfigurationOptions();
        if (options.AsyncTimeout == defaults.AsyncTimeout) options.AsyncTimeout = CommandTimeout;
        if (options.SyncTimeout == defaults.SyncTimeout) options.SyncTimeout = CommandTimeout;
        options.ReconnectRetryPolicy = new LinearRetry(500);
        // After a broken frame each answer goes to the command before its own, for ever. The check of a heartbeat ends that connection.
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(500);
        options.HeartbeatConsistencyChecks = true;
    }
}

/// <summary>The metric <c>redis.connected</c>.</summary>
internal sealed class RedisGauge
{
    public RedisGauge(IConnectionMultiplexer redis, IMeterFactory meters) => meters.Create(RedisCommand.MeterName).CreateObservableGauge(
        "redis.connected", () => redis.IsConnected ? 1 : 0, description: "1 while Redis is connected, 0 while commands fail at once");
}
