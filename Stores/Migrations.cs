using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace WebRtcIms.Stores;

/// <summary>Brings the tables of a store up to date. Replicas that start together do it one after the other.</summary>
public static class Migrations
{
    /// <summary>
    /// Applies the migrations that the database does not have. Then it runs <paramref name="seed"/>, still under the lock, so that two
    /// replicas do not write the same first rows. Call it before the first request.
    /// </summary>
    /// <exception cref="ServiceDefaults.SettingsException">The database cannot be used.</exception>
    public static Task MigrateAsync(
        this DbContext context, StoreSettings store, CancellationToken cancellationToken, Func<Task>? seed = null) =>
        store.ReportProblemsAsync(() => context.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
        {
            if (store.IsPostgres) await CreatePostgresAsync(context, cancellationToken);
            else SqliteFiles.Protect(store.File!);
            await using var _ = await store.LockAsync("migration", cancellationToken);
            if (!store.IsPostgres) await PrepareSqliteAsync(context, cancellationToken);
            await AdoptAsync(context, store, cancellationToken);
            // When there is nothing to apply, the role does not need the right to create tables.
            if ((await context.Database.GetPendingMigrationsAsync(cancellationToken)).Any())
                await context.Database.MigrateAsync(cancellationToken);
            if (seed is null) return;
            // A retry must not write what the tracker still has of the failed attempt.
            context.ChangeTracker.Clear();
            await seed();
        }));

    // EnsureCreated made the tables of earlier versions. They are those of the first migration.
    private static async Task AdoptAsync(DbContext context, StoreSettings store, CancellationToken cancellationToken)
    {
        var history = context.GetService<IHistoryRepository>();
        var tables = await context.Database.SqlQueryRaw<string>(store.IsPostgres
            ? "SELECT tablename AS \"Value\" FROM pg_tables WHERE schemaname = current_schema()"
            : "SELECT name AS \"Value\" FROM sqlite_master WHERE type = 'table'").ToListAsync(cancellationToken);
        if (tables.TrueForAll(name => name.StartsWith("__EF", StringComparison.Ordinal))) return;
        if ((await context.Database.GetAppliedMigrationsAsync(cancellationToken)).Any()) return;

        var first = new HistoryRow(context.Database.GetMigrations().First(), ProductInfo.GetVersion());
        await context.Database.ExecuteSqlRawAsync(history.GetCreateIfNotExistsScript(), cancellationToken);
        await context.Database.ExecuteSqlRawAsync(history.GetInsertScript(first), cancellationToken);
    }

    private static async Task PrepareSqliteAsync(DbContext context, CancellationToken cancellationToken)
    {
        // Entity Framework Core sets it for files that it creates itself. Readers and a writer then do not wait for each other.
        await context.Database.ExecuteSqlRawAsync("PRAGMA journal_mode = 'wal'", cancellationToken);
        // Entity Framework Core's own lock is a row, which stays when its process is killed. Then no later start would end.
        await context.Database.ExecuteSqlRawAsync("DROP TABLE IF EXISTS \"__EFMigrationsLock\"", cancellationToken);
    }

    private static async Task CreatePostgresAsync(DbContext context, CancellationToken cancellationToken)
    {
        var creator = context.GetService<IRelationalDatabaseCreator>();
        try
        {
            if (!await creator.ExistsAsync(cancellationToken)) await creator.CreateAsync(cancellationToken);
        }
        catch (PostgresException error) when (error.SqlState is PostgresErrorCodes.DuplicateDatabase or PostgresErrorCodes.UniqueViolation)
        {
            // Another replica created it.
        }
    }
}
