using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Npgsql;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Stores;

/// <summary>Entity Framework Core on the store of a service.</summary>
public static class StoreExtensions
{
    /// <summary>Registers the context on SQLite, or on PostgreSQL through Aspire's client, and the health check <c>store</c>.</summary>
    /// <exception cref="SettingsException">PostgreSQL is on another machine, and the connection may be without TLS.</exception>
    public static void AddStore<TContext>(this IHostApplicationBuilder builder, StoreSettings store)
        where TContext : DbContext
    {
        if (store.IsPostgres)
        {
            if (store.IsPlain() && !TransportEncryption.IsElsewhere(builder.Configuration, builder.Environment))
                throw SettingsException.Of([$"{store.Setting} {TransportEncryption.Problem("add SSL Mode=VerifyFull, or Require")}"]);
            builder.AddNpgsqlDbContext<TContext>(
                store.Name,
                settings => (settings.ConnectionString, settings.DisableHealthChecks) = (store.ConnectionString, true));
        }
        else
        {
            builder.Services.AddDbContext<TContext>(options => options.UseSqlite(store.ConnectionString));
        }

        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            "store",
            services => new StoreHealthCheck<TContext>(services.GetRequiredService<TContext>(), store.Setting),
            failureStatus: null,
            tags: null));
    }

    // With the default of Npgsql, the server may choose to go on without TLS.
    private static bool IsPlain(this StoreSettings store)
    {
        var postgres = new NpgsqlConnectionStringBuilder(store.ConnectionString);
        var hosts = postgres.Host!.Split(',', StringSplitOptions.TrimEntries).Select(host => host.Split(':')[0]);
        return postgres.SslMode < SslMode.Require
            && hosts.Any(host => !host.StartsWith('/') && !LocalCaller.IsLoopbackName(host));
    }

    /// <summary>Runs a step of the start that uses the store.</summary>
    /// <param name="store">The store.</param>
    /// <param name="start">The step.</param>
    /// <exception cref="SettingsException">The database cannot be used. The message names the setting.</exception>
    public static async Task ReportProblemsAsync(this StoreSettings store, Func<Task> start)
    {
        try
        {
            await start();
        }
        catch (Exception error) when (CauseOf(error) is { } cause)
        {
            throw new SettingsException($"{store.Setting}: the database cannot be used: {cause.Message}");
        }
    }

    // Entity Framework Core wraps the error when it has retried.
    private static DbException? CauseOf(Exception error) => error as DbException ?? error.InnerException as DbException;
}

/// <summary>Unhealthy while the database cannot be opened: the service cannot work without it.</summary>
internal sealed class StoreHealthCheck<TContext>(TContext store, string setting) : IHealthCheck
    where TContext : DbContext
{
    // Entity Framework Core retries for a minute when PostgreSQL is down. Probes do not wait that long.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        try
        {
            if (await store.Database.CanConnectAsync(limit.Token)) return HealthCheckResult.Healthy();
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // It does not answer in time.
        }

        return HealthCheckResult.Unhealthy($"the database ({setting}) cannot be opened");
    }
}
