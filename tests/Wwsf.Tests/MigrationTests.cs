using System.Data.Common;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.Stores;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>The migrations, on SQLite and on a real PostgreSQL.</summary>
public sealed class MigrationTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Store_HasTheTablesOfTheModel(bool isPostgres)
    {
        using var folder = new TemporaryFolder();
        await using var postgres = isPostgres ? await PostgresServer.StartAsync() : null;
        var (migrated, created) = (Store(folder, postgres, "migrated"), Store(folder, postgres, "created"));
        await MigrateAsync(migrated);
        await UseAsync(created, database => database.Database.EnsureCreatedAsync(TestContext.Current.CancellationToken));

        var schema = await SchemaAsync(migrated);
        Assert.Equal(await SchemaAsync(created), schema);
        if (!isPostgres) Assert.Equal(["wal"], await RowsAsync(migrated, "PRAGMA journal_mode"));
        Assert.Contains(schema, row => row.Contains("WafClients", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task StoreOfAnEarlierVersion_KeepsItsUsersAndEndedSessions_AndGetsTheNewTables(bool isPostgres)
    {
        using var folder = new TemporaryFolder();
        await using var postgres = isPostgres ? await PostgresServer.StartAsync() : null;
        var store = Store(folder, postgres, "wwsf");
        // EnsureCreated made the tables of the first migration, without a history of migrations.
        await UseAsync(store, async database =>
        {
            await database.GetService<IMigrator>().MigrateAsync("20261128000000_Users", TestContext.Current.CancellationToken);
            await database.Database.ExecuteSqlRawAsync(
                "DROP TABLE \"__EFMigrationsHistory\"; INSERT INTO \"EndedSessions\" VALUES ('an-ended-session', 4000000000)",
                TestContext.Current.CancellationToken);
            database.Add(new User { UserName = "alice" });
            await database.SaveChangesAsync(TestContext.Current.CancellationToken);
        });

        await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() => MigrateAsync(store))));

        await UseAsync(store, async database =>
        {
            Assert.Equal("alice", (await database.Users.SingleAsync(TestContext.Current.CancellationToken)).UserName);
            Assert.Empty(await database.WafClients.ToListAsync(TestContext.Current.CancellationToken));
            var ended = await database.Sessions.SingleAsync(TestContext.Current.CancellationToken);
            Assert.Equal(("an-ended-session", 4000000000, 0), (ended.Sid, ended.ExpiresAt, ended.EndedAt));
            Assert.False(ended.IsRevocationPending || ended.IsRegistrationPending);
        });
    }

    private static StoreSettings Store(TemporaryFolder folder, PostgresServer? postgres, string name) => StoreSettings.Read(
        name, postgres?.ConnectionString(name) ?? $"Data Source={folder.Path}/{name}.db;Pooling=false", folder.Path)!;

    private static Task MigrateAsync(StoreSettings store) =>
        UseAsync(store, database => database.MigrateAsync(store, TestContext.Current.CancellationToken));

    private static async Task UseAsync(StoreSettings store, Func<WwsfStore, Task> use)
    {
        // EF keeps the model of the first store in a process, so it must be that of the WWSF.
        await using var services = new ServiceCollection()
            .AddDbContext<WwsfStore>(options => _ = store.IsPostgres
                ? options.UseNpgsql(store.ConnectionString)
                : options.UseSqlite(store.ConnectionString))
            .Configure<IdentityOptions>(identity => identity.Stores.SchemaVersion = IdentitySchemaVersions.Version3)
            .BuildServiceProvider();
        await use(services.GetRequiredService<WwsfStore>());
    }

    // Tables, columns and indexes as the database describes them.
    private static Task<List<string>> SchemaAsync(StoreSettings store) => RowsAsync(store, store.IsPostgres
        ? """
            SELECT concat_ws(' ', table_name, column_name, data_type, character_maximum_length, is_nullable, is_identity)
            FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '__EFMigrationsHistory'
            UNION SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> '__EFMigrationsHistory'
            UNION SELECT concat_ws(' ', conname, pg_get_constraintdef(oid)) FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace AND conname <> 'PK___EFMigrationsHistory' ORDER BY 1
            """
        : "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_\\_EF%' ESCAPE '\\' ORDER BY name");

    private static async Task<List<string>> RowsAsync(StoreSettings store, string sql)
    {
        List<string> rows = [];
        await UseAsync(store, async database =>
        {
            var connection = database.Database.GetDbConnection();
            await connection.OpenAsync(TestContext.Current.CancellationToken);
            await using DbCommand command = connection.CreateCommand();
            command.CommandText = sql;
            await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
            while (await reader.ReadAsync(TestContext.Current.CancellationToken)) rows.Add(reader.GetValue(0).ToString()!);
        });
        return rows;
    }
}
