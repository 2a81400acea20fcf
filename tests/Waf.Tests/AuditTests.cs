using System.Net;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Audit;
using WebRtcIms.Waf.Stores;

namespace WebRtcIms.Waf.Tests;

/// <summary>The audit: rows and log records of acts, and how long the rows stay.</summary>
public sealed class AuditTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task TokenIssue_IsARowAndALogRecord_WithoutTheToken()
    {
        using var app = new WafApp();
        var token = (await new TokenRequest().SendAsync(app)).AssertOk();

        var entry = Assert.Single(await WaitForRowsAsync(app, 1));

        Assert.Equal((WafApp.Client, "token.issued", "127.0.0.1"), (entry.Actor, entry.Action, entry.Address));
        Assert.Matches("^k1:[A-Za-z0-9_-]{16}$", entry.Subject);
        Assert.DoesNotContain(token.AccessToken, entry.Subject, StringComparison.Ordinal);
        Assert.Single(app.Logs.Records, record => record.StartsWith("Information WebRtcIms.Waf.Audit.Issue ", StringComparison.Ordinal)
            && record.Contains($"token.issued {entry.Subject} by wwsf from 127.0.0.1", StringComparison.Ordinal));
    }

    [Fact]
    public async Task RejectedRequests_AreNotActs()
    {
        using var app = new WafApp();
        (await new TokenRequest().SendAsync(app, secret: "a guess of the secret"))
            .AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        (await new TokenRequest().With("aud", "nowhere").SendAsync(app)).AssertError(HttpStatusCode.BadRequest, "invalid_target");
        (await new TokenRequest().SendAsync(app)).AssertOk();

        Assert.Equal("token.issued", Assert.Single(await WaitForRowsAsync(app, 1)).Action);
    }

    [Fact]
    public async Task Revocations_AreRows_OfTheTokenAndOfTheClient()
    {
        await using var redis = await RedisServer.StartAsync();
        using var app = new WafApp().With("ConnectionStrings:redis", redis.Address);
        var token = (await new TokenRequest().SendAsync(app)).AssertOk();
        (await TokenRequest.RevokeAsync(app, WafApp.Client, WafApp.ClientSecret, ("token", token.AccessToken))).AssertOk();
        (await TokenRequest.RevokeAsync(app, WafApp.Client, WafApp.ClientSecret, ("token", "not a token"))).AssertOk();
        (await TokenRequest.RevokeAsync(app, WafApp.Client, WafApp.ClientSecret, ("all_tokens", "true"))).AssertOk();

        var rows = await WaitForRowsAsync(app, 3);

        Assert.Equal(["token.issued", "token.revoked", "client.revoked"], rows.Select(row => row.Action));
        Assert.Equal([rows[0].Subject, rows[0].Subject, WafApp.Client], rows.Select(row => row.Subject));
        Assert.All(rows, row => Assert.Equal((WafApp.Client, "127.0.0.1"), (row.Actor, row.Address)));
    }

    /// <summary>No token request waits for its row.</summary>
    [Fact]
    public async Task StoreAway_TokensAreIssued_AndTheRowsFollow()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var outage = new Outage();
        using var app = new WafApp { Time = time }.WithServices(outage.AddTo);
        (await new TokenRequest().SendAsync(app)).AssertOk();
        await WaitForRowsAsync(app, 1);

        outage.IsOn = true;
        (await new TokenRequest().SendAsync(app)).AssertOk();
        (await new TokenRequest().SendAsync(app)).AssertOk();
        await AdvanceUntilAsync(time, () => Task.FromResult(outage.Failures > 0));
        Assert.Contains("The store does not take rows of the audit", app.Logs.Text, StringComparison.Ordinal);
        outage.IsOn = false;
        await AdvanceUntilAsync(time, async () => (await RowsAsync(app)).Count == 3);

        await Eventually.IsTrueAsync(() => app.Logs.Text.Contains("The store takes rows of the audit again", StringComparison.Ordinal));
        lock (app.Counts) Assert.DoesNotContain("waf.audit.lost", app.Counts.Keys);
    }

    [Fact]
    public async Task QueueFull_RowsAreCountedAsLost_AndTokensAreIssued()
    {
        var outage = new Outage { IsOn = true };
        using var app = new WafApp { Time = new FakeTimeProvider(TimeProvider.System.GetUtcNow()) }.WithServices(outage.AddTo);
        var audit = app.Services.GetRequiredService<AuditLog>();
        audit.Add("test", "test", "first", address: null);
        await Eventually.IsTrueAsync(() => outage.Failures > 0);
        for (var row = 0; row < AuditLog.Capacity; row++) audit.Add("test", "test", $"{row}", address: null);
        Assert.Equal(AuditLog.Capacity, audit.Queue.Count);

        (await new TokenRequest().SendAsync(app)).AssertOk();

        lock (app.Counts) Assert.Equal(1, app.Counts["waf.audit.lost"]);
    }

    [Fact]
    public async Task Stop_WritesTheRest()
    {
        var path = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), $"waf-audit-{Guid.NewGuid():N}"));
        try
        {
            var store = $"Data Source={path.FullName}/waf.db;Pooling=false";
            var app = new WafApp().With("ConnectionStrings:waf", store);
            var audit = app.Services.GetRequiredService<AuditLog>();
            for (var row = 0; row < 3000; row++) audit.Add("test", "test", $"{row}", address: null);
            await app.DisposeAsync();

            using var second = new WafApp().With("ConnectionStrings:waf", store);
            Assert.Equal(Enumerable.Range(0, 3000).Select(row => $"{row}"), (await RowsAsync(second)).Select(row => row.Subject));
        }
        finally
        {
            path.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task StopWithoutTheStore_CountsAndLogsTheLoss()
    {
        var outage = new Outage { IsOn = true };
        var app = new WafApp().WithServices(outage.AddTo);
        app.Services.GetRequiredService<AuditLog>().Add("test", "test", "lost", address: null);
        await Eventually.IsTrueAsync(() => outage.Failures > 0);

        await app.DisposeAsync();

        Assert.Contains("The process stops without 1 rows of the audit", app.Logs.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("30.00:00:00")]
    public async Task OldRows_AreDeleted_WhenTheirTimeIsOver(string retention)
    {
        var keep = retention.Length == 0
            ? TimeSpan.FromDays(90) : TimeSpan.Parse(retention, System.Globalization.CultureInfo.InvariantCulture);
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var app = new WafApp { Time = time };
        if (retention.Length > 0) app.With("Waf:AuditRetention", retention);
        // More than two batches.
        await AddRowsAsync(app, 2500, time.GetUtcNow() - keep - TimeSpan.FromSeconds(1));
        await AddRowsAsync(app, 1, time.GetUtcNow() - keep + TimeSpan.FromDays(20));

        await AdvanceUntilAsync(time, async () => await CountAsync(app) <= 1);

        Assert.Single(await RowsAsync(app));
        await Eventually.IsTrueAsync(() => app.Logs.Text.Contains("2500 rows of the audit", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Rows_AreKeptForEver_WithoutARetention()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var app = new WafApp { Time = time }.With("Waf:AuditRetention", "00:00:00");
        await AddRowsAsync(app, 1, DateTimeOffset.UnixEpoch);
        time.Advance(AuditRetention.Interval);
        time.Advance(AuditRetention.Interval);
        (await new TokenRequest().SendAsync(app)).AssertOk();

        Assert.Equal(2, (await WaitForRowsAsync(app, 2)).Count);
    }

    [Fact]
    public async Task Replicas_DeleteTheSameRows()
    {
        await using var postgres = await PostgresServer.StartAsync();
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var first = new WafApp { Time = time }.With("ConnectionStrings:waf", postgres.ConnectionString("waf"));
        using var second = new WafApp { Time = time }.With("ConnectionStrings:waf", postgres.ConnectionString("waf"));
        _ = (first.Services, second.Services);
        await AddRowsAsync(first, 2500, DateTimeOffset.UnixEpoch);
        await AddRowsAsync(first, 1, time.GetUtcNow());

        await AdvanceUntilAsync(time, async () => await CountAsync(second) == 1);

        Assert.DoesNotContain("could not be deleted", first.Logs.Text + second.Logs.Text, StringComparison.Ordinal);
    }

    /// <summary>Names that the table cannot hold must not stop the rows behind them.</summary>
    [Fact]
    public async Task LongNamesAndNuls_AreBounded_SoThatPostgresTakesThem()
    {
        await using var postgres = await PostgresServer.StartAsync();
        using var app = new WafApp().With("ConnectionStrings:waf", postgres.ConnectionString("waf"));
        app.Services.GetRequiredService<AuditLog>().Add(new string('a', 121), "test", $"\0{new string('s', 200)}", address: null);

        var row = Assert.Single(await WaitForRowsAsync(app, 1));

        Assert.Equal((new string('a', 120), $"?{new string('s', 199)}"), (row.Actor, row.Subject));
    }

    /// <summary>The grants of docs/operations.md: a role that cannot change the audit serves all requests.</summary>
    [Fact]
    public async Task Postgres_RoleWithoutUpdateAndDeleteOnTheAudit_IsEnough()
    {
        await using var postgres = await PostgresServer.StartAsync();
        var owner = postgres.ConnectionString("waf");
        using (var migrating = new WafApp().With("ConnectionStrings:waf", owner)) _ = migrating.Services;
        await using (var connection = new NpgsqlConnection(owner))
        {
            await connection.OpenAsync(Cancel);
            var grants = System.Text.RegularExpressions.Regex.Match(
                await File.ReadAllTextAsync(Repository.PathOf("docs/operations.md"), Cancel),
                "```sql\n(?<sql>CREATE ROLE waf_service.*?)```",
                System.Text.RegularExpressions.RegexOptions.Singleline).Groups["sql"].Value;
            await using var command = new NpgsqlCommand(grants, connection);
            await command.ExecuteNonQueryAsync(Cancel);
        }

        var service = new NpgsqlConnectionStringBuilder(owner) { Username = "waf_service", Password = "…" }.ConnectionString;
        using var app = new WafApp().With("ConnectionStrings:waf", service).With("Waf:AuditRetention", "00:00:00").WithRegistration();
        var client = (await ClientRegistrationRequest.RegisterAsync(app)).Assert(HttpStatusCode.Created);
        (await new TokenRequest().SendAsync(app, client.ClientId, client.Secret)).AssertOk();
        (await ClientRegistrationRequest.DeleteAsync(app, client.ClientId, client.AccessToken)).Assert(HttpStatusCode.NoContent);

        Assert.Equal(
            ["client.deleted", "client.registered", "token.issued"],
            (await WaitForRowsAsync(app, 3)).Select(row => row.Action).Order(StringComparer.Ordinal));
        await using var scope = app.Services.CreateAsyncScope();
        var audit = scope.ServiceProvider.GetRequiredService<WafDatabase>().Audit;
        await Assert.ThrowsAsync<PostgresException>(() =>
            audit.ExecuteUpdateAsync(row => row.SetProperty(changed => changed.Actor, "other"), Cancel));
        await Assert.ThrowsAsync<PostgresException>(() => audit.ExecuteDeleteAsync(Cancel));
    }

    private static async Task AddRowsAsync(WafApp app, int count, DateTimeOffset at)
    {
        await using var scope = app.Services.CreateAsyncScope();
        var store = scope.ServiceProvider.GetRequiredService<WafDatabase>();
        store.Audit.AddRange(Enumerable.Range(0, count).Select(_ => new AuditEntry
        {
            At = at.ToUnixTimeSeconds(),
            Actor = "test",
            Action = "test",
            Subject = "test",
        }));
        await store.SaveChangesAsync(Cancel);
    }

    private static async Task<int> CountAsync(WafApp app)
    {
        await using var scope = app.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<WafDatabase>().Audit.CountAsync(Cancel);
    }

    private static async Task<List<AuditEntry>> RowsAsync(WafApp app)
    {
        await using var scope = app.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<WafDatabase>().Audit.OrderBy(entry => entry.Id).ToListAsync(Cancel);
    }

    private static async Task<List<AuditEntry>> WaitForRowsAsync(WafApp app, int count)
    {
        List<AuditEntry> rows = [];
        await Eventually.IsTrueAsync(async () => (rows = await RowsAsync(app)).Count >= count);
        return rows;
    }

    private static Task AdvanceUntilAsync(FakeTimeProvider time, Func<Task<bool>> isDone) => Eventually.IsTrueAsync(async () =>
    {
        if (await isDone()) return true;
        time.Advance(TimeSpan.FromMinutes(1));
        return false;
    });

    /// <summary>Fails each write of rows while it is on. Reads, as of clients, work.</summary>
    private sealed class Outage : SaveChangesInterceptor
    {
        private int _failures;

        public bool IsOn { get; set; }

        public int Failures => Volatile.Read(ref _failures);

        public void AddTo(IServiceCollection services) =>
            services.ConfigureDbContext<WafDatabase>(options => options.AddInterceptors(this));

        public override ValueTask<InterceptionResult<int>> SavingChangesAsync(
            DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            if (!IsOn || !eventData.Context!.ChangeTracker.Entries<AuditEntry>().Any()) return ValueTask.FromResult(result);
            Interlocked.Increment(ref _failures);
            throw new DbUpdateException("The test says that the store is away.");
        }
    }
}
