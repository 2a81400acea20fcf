using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Storage;
using WebRtcIms.Stores;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Stores;

namespace WebRtcIms.Waf.Tests;

/// <summary>The migrations, on SQLite and on a real PostgreSQL.</summary>
public sealed class MigrationTests
{
    private const string History = "__EFMigrationsHistory";

    [Fact]
    public async Task Sqlite_HasTheTablesOfTheModel()
    {
        using var folder = new TemporaryFolder();
        var (migrated, created) = (Sqlite(folder, "migrated"), Sqlite(folder, "created"));
        await MigrateAsync(migrated);
        await using (var database = Open(created)) await database.Database.EnsureCreatedAsync(TestContext.Current.CancellationToken);

        Assert.Equal(await SchemaAsync(created), await SchemaAsync(migrated));
    }

    [Fact]
    public async Task Postgres_HasTheTablesOfTheModel_AfterStartsAtTheSameTime()
    {
        await using var postgres = await PostgresServer.StartAsync();
        var (migrated, created) = (Postgres(postgres, "migrated"), Postgres(postgres, "created"));
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => MigrateAsync(migrated))));
        await using (var database = Open(created)) await database.Database.EnsureCreatedAsync(TestContext.Current.CancellationToken);

        Assert.Equal(await SchemaAsync(created), await SchemaAsync(migrated));
    }

    [Fact]
    public async Task Sqlite_StartsAtTheSameTime_AllSucceed()
    {
        using var folder = new TemporaryFolder();
        var store = Sqlite(folder, "waf");

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => MigrateAsync(store))));

        Assert.Equal(3, await CountAsync(store, History));
    }

    /// <summary>Entity Framework Core keeps its lock in a row. A process that was killed leaves it there.</summary>
    [Fact]
    public async Task Sqlite_LockOfAKilledProcess_DoesNotStopTheStart()
    {
        using var folder = new TemporaryFolder();
        var store = Sqlite(folder, "waf");
        await MigrateAsync(store);
        await ExecuteAsync(store, "INSERT INTO \"__EFMigrationsLock\" VALUES (1, '2026-11-28 00:00:00')");

        await MigrateAsync(store).WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task StartKilledBeforeTheFirstMigration_IsDoneByTheNext(bool isPostgres)
    {
        using var folder = new TemporaryFolder();
        await using var postgres = isPostgres ? await PostgresServer.StartAsync() : null;
        var store = postgres is null ? Sqlite(folder, "waf") : Postgres(postgres, "waf");
        await using (var database = Open(store))
        {
            await database.GetService<IRelationalDatabaseCreator>().CreateAsync(TestContext.Current.CancellationToken);
            await ExecuteAsync(store, database.GetService<IHistoryRepository>().GetCreateScript());
        }

        await MigrateAsync(store);

        Assert.Equal(0, await CountAsync(store, "OpenIddictApplications"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task StoreOfAnEarlierVersion_KeepsItsClients_AndGetsTheNewTables(bool isPostgres)
    {
        using var folder = new TemporaryFolder();
        await using var postgres = isPostgres ? await PostgresServer.StartAsync() : null;
        var store = postgres is null ? Sqlite(folder, "waf") : Postgres(postgres, "waf");
        await using (var old = new EarlierVersion(Options<EarlierVersion>(store)))
            await old.Database.EnsureCreatedAsync(TestContext.Current.CancellationToken);
        await ExecuteAsync(store, """INSERT INTO "OpenIddictApplications" ("Id", "ClientId") VALUES ('1', 'wwsf')""");

        await MigrateAsync(store);

        Assert.Equal(1, await CountAsync(store, "OpenIddictApplications"));
        Assert.Equal(0, await CountAsync(store, "InitialAccessTokens"));
    }

    private static StoreSettings Sqlite(TemporaryFolder folder, string name) =>
        StoreSettings.Read(name, $"Data Source={folder.Path}/{name}.db;Pooling=false", "/")!;

    private static StoreSettings Postgres(PostgresServer server, string name) =>
        StoreSettings.Read(name, server.ConnectionString(name), Path.GetTempPath())!;

    private static DbContextOptions<T> Options<T>(StoreSettings store)
        where T : DbContext
    {
        var options = new DbContextOptionsBuilder<T>();
        if (store.IsPostgres) options.UseNpgsql(store.ConnectionString);
        else options.UseSqlite(store.ConnectionString);
        return options.Options;
    }

    private static WafDatabase Open(StoreSettings store) => new(Options<WafDatabase>(store));

    private static async Task MigrateAsync(StoreSettings store)
    {
        await using var database = Open(store);
        await database.MigrateAsync(store, TestContext.Current.CancellationToken);
    }

    private static async Task ExecuteAsync(StoreSettings store, string sql)
    {
        await using var database = Open(store);
        await database.Database.ExecuteSqlRawAsync(sql, TestContext.Current.CancellationToken);
    }

    private static async Task<int> CountAsync(StoreSettings store, string table) =>
        (await RowsAsync(store, $"SELECT 1 FROM \"{table}\"")).Count;

    // Tables, columns and indexes as the database describes them.
    private static async Task<List<string>> SchemaAsync(StoreSettings store) => await RowsAsync(store, store.IsPostgres
        ? $"""
            SELECT concat_ws(' ', table_name, column_name, data_type, character_maximum_length, is_nullable, is_identity)
            FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '{History}'
            UNION SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> '{History}'
            UNION SELECT concat_ws(' ', conname, pg_get_constraintdef(oid)) FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace AND conname <> 'PK_{History}' ORDER BY 1
            """
        : """
            SELECT m.name || ' ' || c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || c.pk
            FROM sqlite_master m, pragma_table_info(m.name) c
            WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE '\_\_EF%' ESCAPE '\'
            UNION SELECT sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL AND tbl_name NOT LIKE '\_\_EF%' ESCAPE '\'
            UNION SELECT m.name || ' ' || f."from" || ' ' || f."table" || ' ' || f."to" || ' ' || f.on_delete
            FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY 1
            """);

    private static async Task<List<string>> RowsAsync(StoreSettings store, string sql)
    {
        await using var database = Open(store);
        var connection = database.Database.GetDbConnection();
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using DbCommand command = connection.CreateCommand();
        command.CommandText = sql;
        await using var reader = await command.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        List<string> rows = [];
        while (await reader.ReadAsync(TestContext.Current.CancellationToken)) rows.Add(reader.GetValue(0).ToString()!);
        return rows;
    }

    /// <summary>The store as it was before there were migrations.</summary>
    private sealed class EarlierVersion(DbContextOptions<EarlierVersion> options) : DbContext(options)
    {
        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.UseOpenIddict();
    }
}
