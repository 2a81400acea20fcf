using System.Diagnostics;
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
    private static readonly ActivitySource Source = ServiceTelemetry.Source("Redis");

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

        builder.Services.AddSingleton<IConnectionMultiplexer>(_ => ConnectionMultiplexer.Connect(options));
        builder.Services.AddHealthChecks().AddCheck<RedisHealthCheck>("redis", HealthStatus.Degraded);
        return true;
    }

    /// <summary>A client span for one Redis command, named as OpenTelemetry's database conventions have it.</summary>
    /// <param name="command">The command, such as <c>SET</c>.</param>
    /// <param name="parent">The span it belongs to; the current one when not given.</param>
    /// <param name="startTime">When it began, for a span that is made afterwards.</param>
    public static Activity? StartCommand(string command, ActivityContext parent = default, DateTimeOffset startTime = default)
    {
        var activity = Source.StartActivity(command, ActivityKind.Client, parent, startTime: startTime);
        activity?.SetTag("db.system.name", "redis");
        activity?.SetTag("db.operation.name", command);
        return activity;
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
