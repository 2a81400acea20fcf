using System.Diagnostics.Metrics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// The shared Redis connection: <c>ConnectionStrings:redis</c>. Redis may be absent or down at any time, also at start:
/// commands then fail at once instead of queueing, and <c>/health</c> says Degraded.
/// </summary>
public static class RedisExtensions
{
    /// <summary>
    /// Registers <see cref="IConnectionMultiplexer"/> when <c>ConnectionStrings:redis</c> is set.
    /// Returns false when it is not: the caller then uses node-local state and says so.
    /// </summary>
    public static bool AddRedisClient(this IHostApplicationBuilder builder)
    {
        var connectionString = builder.Configuration.GetConnectionString("redis");
        if (string.IsNullOrWhiteSpace(connectionString)) return false;

        var options = ConfigurationOptions.Parse(connectionString);
        options.AbortOnConnectFail = false;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.ConnectTimeout = 1000;
        options.AsyncTimeout = 250;
        options.SyncTimeout = 250;
        options.ReconnectRetryPolicy = new LinearRetry(500);
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(500);

        builder.Services.AddSingleton<IConnectionMultiplexer>(services =>
        {
            var redis = ConnectionMultiplexer.Connect(options);
            services.GetRequiredService<IMeterFactory>().Create(RedisCommand.MeterName)
                .CreateObservableGauge("redis.connected", () => redis.IsConnected ? 1 : 0, description: "1 while Redis is connected, 0 while commands fail at once");
            return redis;
        });
        builder.Services.AddHealthChecks().AddCheck<RedisHealthCheck>("redis", HealthStatus.Degraded);
        return true;
    }
}

/// <summary>Degraded, never unhealthy: every part works on without Redis, apart from what only Redis can know.</summary>
internal sealed class RedisHealthCheck(IConnectionMultiplexer redis) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await redis.GetDatabase().PingAsync().WaitAsync(TimeSpan.FromMilliseconds(500), cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            return HealthCheckResult.Degraded("Redis does not answer; what is shared between nodes is not, until it does");
        }
    }
}
