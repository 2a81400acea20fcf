using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Rings;
using WebRtcIms.Waf.Stores;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf.Tests;

/// <summary>A ring of long-term keys at one WAF, with a clock of the test.</summary>
public sealed class KeyRingTests : IDisposable
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);
    private static readonly TimeSpan Lead = TimeSpan.FromMinutes(10);

    // The lifetime of a token, the Delta of RFC 7635 §7, and the lead time in which a replica may not know of a rotation.
    private static readonly TimeSpan Retirement = TimeSpan.FromMinutes(10) + AccessToken.ClockDelta + Lead;

    private readonly FakeTimeProvider _time = new(RingApp.Start);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("waf-tests-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task FirstStart_CreatesACurrentAndANextKey()
    {
        using var app = RingApp.Create(_time);

        var answer = (await new TokenRequest().SendAsync(app)).AssertOk();

        Assert.Equal("k1.1", answer.Kid);
        Assert.Equal(["k1.1 Current", "k1.2 Next"], app.States());
        Assert.Equal(["schedule key.created k1.1", "schedule key.created k1.2"], await app.AuditAsync());
    }

    [Fact]
    public async Task StartOfABusyMachine_WaitsForTheStore()
    {
        var store = new SlowStore(() => _time.Advance(TimeSpan.FromMinutes(1)));
        using var app = RingApp.Create(_time).WithServices(store.AddTo);

        Assert.Equal(["k1.1 Current", "k1.2 Next"], app.States());
        Assert.Equal(1, store.Writes);
    }

    [Fact]
    public async Task Schedule_ChangesKeysAtTheirTime_WithoutTheStore_AndThenCreatesTheNextOne()
    {
        using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        _time.Pass(Day - TimeSpan.FromSeconds(1));
        Assert.Equal("k1.1", app.Issue().Kid);

        await app.InStoreAsync(store => store.Database.ExecuteSqlRawAsync("ALTER TABLE \"Keys\" RENAME TO \"Away\""));
        _time.Pass(TimeSpan.FromSeconds(1));
        Assert.Equal("k1.2", app.Issue().Kid);
        await app.InStoreAsync(store => store.Database.ExecuteSqlRawAsync("ALTER TABLE \"Away\" RENAME TO \"Keys\""));

        await app.RefreshAsync();
        Assert.Equal(["k1.1 Retired", "k1.2 Current", "k1.3 Next"], app.States());
        Assert.Equal(
            ["schedule key.rotated k1.2", "schedule key.retired k1.1", "schedule key.created k1.3"], (await app.AuditAsync())[2..]);
        Assert.Contains("waf.key.rotations oauth.audience=turn.example.org actor=schedule", app.Counts.Keys);
    }

    [Fact]
    [Requirement("RFC7635-4.1.1-1")]
    public async Task RetiredKey_IsDelivered_UntilItsLastTokenIsDead_ThenDeleted()
    {
        using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        _time.Pass(Day - TimeSpan.FromSeconds(1));
        var token = app.Issue();
        var end = app.Now + TimeSpan.FromSeconds(1) + Retirement;
        Assert.Equal((end.ToUnixTimeSeconds(), "k1.1"), (app.Deliver().Exp, app.Deliver().Kid));

        _time.Pass(TimeSpan.FromSeconds(1) + Retirement - TimeSpan.FromSeconds(1));
        await app.RefreshAsync();
        Assert.Equal("k1.1", app.Identify(token)?.Kid);
        Assert.Contains("k1.1", app.Deliver().All.Select(key => key.Kid));
        Assert.Contains("k1.1", (await app.StoredKeysAsync()).Select(key => key.Kid));

        _time.Pass(TimeSpan.FromSeconds(1));
        Assert.Null(app.Identify(token));
        Assert.DoesNotContain("k1.1", app.Deliver().All.Select(key => key.Kid));
        await app.RefreshAsync();
        Assert.Equal(["k1.2", "k1.3"], (await app.StoredKeysAsync()).Select(key => key.Kid));
        Assert.Equal("schedule key.deleted k1.1", (await app.AuditAsync())[^1]);
    }

    [Fact]
    public async Task LongerTokenLifetime_OfTheTimeOfIssue_KeepsARetiredKey()
    {
        using (var app = RingApp.Create(_time, _folder.FullName).With("Waf:TurnServers:0:TokenLifetime", "02:00:00"))
            await app.RefreshAsync();
        using var later = RingApp.Create(_time, _folder.FullName);
        await later.RotateAsync();
        _time.Pass(Lead);
        await later.RefreshAsync();

        _time.Pass(TimeSpan.FromHours(2));
        await later.RefreshAsync();
        Assert.Equal("k1.1 Retired", later.States().First());
        _time.Pass(Lead + AccessToken.ClockDelta);
        Assert.Equal("k1.2 Current", later.States().First());
    }

    [Fact]
    public async Task LongerTokenLifetime_AfterARestart_CountsForTheKeysThatAreNotRetired()
    {
        using (var app = RingApp.Create(_time, _folder.FullName)) await app.RefreshAsync();
        using var later = RingApp.Create(_time, _folder.FullName).With("Waf:TurnServers:0:TokenLifetime", "02:00:00");

        await later.RefreshAsync();

        Assert.Equal([7200, 7200], (await later.StoredKeysAsync()).Select(key => key.TokenLifetime));
    }

    /// <summary>The TURN server fetches less often than new keys are announced, but within the lead time.</summary>
    [Fact]
    public async Task TokensThroughRotations_AreAllAccepted_ByAServerThatFetchesWithinTheLeadTime()
    {
        using var app = RingApp.Create(_time).With("Waf:TurnServers:0:KeyLeadTime", "00:01:00")
            .With("Waf:TurnServers:0:TokenLifetime", "00:02:00").With("Waf:TurnServers:0:KeyRotation", "00:05:00");
        await app.RefreshAsync();
        var fetched = app.Deliver();
        List<IssuedToken> tokens = [];
        for (var second = 0; second < 20 * 60; second += 3)
        {
            if (second % 57 == 0) fetched = app.Deliver();
            if (second % 6 == 0) await app.RefreshAsync();
            if (second % 420 is 330 or 417) await app.RotateAsync();
            tokens.Add(app.Issue());
            tokens.RemoveAll(token => app.Identify(token)!.ExpiresAt <= app.Now);
            Assert.True(
                fetched.Accepts(tokens[0], app.Now) && fetched.Accepts(tokens[^1], app.Now), $"{tokens[^1].Kid} in second {second}");
            _time.Pass(TimeSpan.FromSeconds(3));
        }

        Assert.InRange((await app.AuditAsync()).Count(entry => entry.Contains("key.rotated", StringComparison.Ordinal)), 5, 8);
    }

    [Fact]
    public async Task KeysByState_AreAMetric()
    {
        using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        _time.Pass(Lead);
        await app.RotateAsync();
        List<string> measured = [];
        using var listener = new MeterListener();
        listener.ListenTo(app.Services.GetRequiredService<IMeterFactory>(), "waf.keys");
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
            measured.Add(string.Join(' ', [.. tags.ToArray().Select(tag => $"{tag.Value}"), $"{value}"])));
        listener.Start();

        listener.RecordObservableInstruments();

        Assert.Equal(
            ["turn.example.org current 1", "turn.example.org next 1", "turn.example.org retired 1", "turn2.example.org current 1"],
            measured.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task RotationOnDemand_AfterTheLeadTime_IsDoneAtOnce()
    {
        using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        _time.Pass(Lead);

        Assert.Equal("k1.2", await app.RotateAsync());

        Assert.Equal("k1.2", app.Issue().Kid);
        Assert.Equal(["k1.1 Retired", "k1.2 Current", "k1.3 Next"], app.States());
        Assert.Equal(
            ["operator key.rotated k1.2", "operator key.retired k1.1", "operator key.created k1.3"], (await app.AuditAsync())[2..]);
        Assert.Equal(app.Now + Day, app.Ring.Keys[^1].CurrentAt);
    }

    [Fact]
    public async Task RotationOnDemand_WithinTheLeadTime_IsDoneAfterIt_AlsoIfRequestedAgain()
    {
        using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        _time.Pass(Lead - TimeSpan.FromSeconds(1));

        Assert.Equal("k1.2", await app.RotateAsync());
        Assert.Equal("k1.2", await app.RotateAsync());

        Assert.Equal("k1.1", app.Issue().Kid);
        Assert.Equal(["operator key.advanced k1.2"], (await app.AuditAsync())[2..]);
        _time.Pass(TimeSpan.FromSeconds(1));
        Assert.Equal("k1.2", app.Issue().Kid);
    }

    [Fact]
    public async Task ServerThatIsUnknownOrHasAStaticKey_IsNotRotated()
    {
        using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        foreach (var server in (string[])[WafApp.SecondTurnServer, "nowhere"])
            Assert.Null(await app.Rotation.RotateAsync(server, "operator", TestContext.Current.CancellationToken));
        Assert.False(await app.RevokeAsync("k2"));
        Assert.False(await app.RevokeAsync("k1.9"));
    }

    [Fact]
    public async Task WafThatWasDownForDays_StillGivesTheNextKeyItsLeadTime()
    {
        using (var app = RingApp.Create(_time, _folder.FullName)) await app.RefreshAsync();
        _time.Pass(Day * 7);

        using var later = RingApp.Create(_time, _folder.FullName);
        await later.RefreshAsync();

        Assert.Equal(["k1.2 Current", "k1.3 Next"], later.States());
        Assert.Equal(later.Now + Lead, later.Ring.Keys[^1].CurrentAt);
    }

    [Fact]
    [Requirement("SEC-29")]
    public async Task KeyThatIsUsedOften_IsRotated()
    {
        using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        _time.Pass(Lead);
        await SetUsesAsync(app, KeyMaterial.RotateAfter - 1);
        await app.RefreshAsync();
        Assert.Equal("k1.1", app.Issue().Kid);

        await app.RefreshAsync();

        Assert.Equal("k1.2", app.Issue().Kid);
        Assert.Contains("use key.rotated k1.2", await app.AuditAsync());
    }

    [Fact]
    [Requirement("SEC-29")]
    public async Task KeyThatIsUsedUp_IssuesNoToken()
    {
        using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        await SetUsesAsync(app, KeyMaterial.MaxUses - 1);
        (await new TokenRequest().SendAsync(app)).AssertOk();

        var refused = await new TokenRequest().SendAsync(app);

        refused.AssertError(HttpStatusCode.ServiceUnavailable, "temporarily_unavailable");
        Assert.Equal("5", refused.Headers["Retry-After"]);
    }

    [Fact]
    public async Task StaticKey_HasItsOwnBound_AndItsResponseIsValidForADay()
    {
        using var app = new WafApp { Time = _time };
        Assert.Equal(KeyMaterial.MaxStaticUses, app.Ring.GetCurrent(app.Now).Material.Limit);

        var keys = app.Deliver();

        Assert.Equal(("k1", (app.Now + Day).ToUnixTimeSeconds(), "A256GCM"), (keys.Kid, keys.Exp, keys.Enc));
        Assert.Equal(["k1"], keys.Keys!.Select(key => key.Kid));
        Assert.Empty(await app.StoredKeysAsync());
    }

    [Fact]
    public async Task RevokedCurrentKey_IsNotDelivered_AndTheNextOneIsCurrentAtOnce()
    {
        using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        var token = app.Issue();

        Assert.True(await app.RevokeAsync("k1.1"));

        Assert.Equal("k1.2", app.Issue().Kid);
        Assert.Equal(["k1.2 Current", "k1.3 Next"], app.States());
        Assert.Equal(["k1.2", "k1.3"], app.Deliver().All.Select(key => key.Kid));
        Assert.Null(app.Identify(token));
        Assert.Empty((await app.StoredKeysAsync())[0].ProtectedKey);
        Assert.Equal(
            ["operator key.revoked k1.1", "operator key.rotated k1.2", "operator key.created k1.3"], (await app.AuditAsync())[2..]);
    }

    [Fact]
    public async Task RevokedNextKey_IsReplaced_WithLeadTime_AndItsNumberIsNotUsedAgain()
    {
        using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        _time.Pass(Day - TimeSpan.FromMinutes(1));

        Assert.True(await app.RevokeAsync("k1.2"));

        Assert.Equal(["k1.1 Current", "k1.3 Next"], app.States());
        Assert.Equal(app.Now + Lead, app.Ring.Keys[^1].CurrentAt);
        Assert.Equal(["operator key.revoked k1.2", "operator key.created k1.3"], (await app.AuditAsync())[2..]);
    }

    /// <summary>Another replica revoked a key, and its clock is ahead of ours.</summary>
    [Fact]
    public async Task ReplicaWhoseClockIsBehind_UsesTheNewKeyAfterARevocation()
    {
        using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        await app.RevokeAsync("k1.1");

        _time.Pass(TimeSpan.FromSeconds(-2));

        Assert.Equal(("k1.2", "k1.2"), (app.Issue().Kid, app.Deliver().Kid));
    }

    [Fact]
    public async Task RevokedRetiredKey_LeavesTheOthers()
    {
        using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        _time.Pass(Lead);
        await app.RotateAsync();

        Assert.True(await app.RevokeAsync("k1.1"));
        Assert.True(await app.RevokeAsync("k1.1"));

        Assert.Equal(["k1.2 Current", "k1.3 Next"], app.States());
        Assert.Equal("operator key.revoked k1.1", (await app.AuditAsync())[^1]);
    }

    [Fact]
    public async Task RowOfARevokedKey_StaysAsLongAsItsRevocation()
    {
        using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        await app.RevokeAsync("k1.1");
        var days = Contracts.TokenLimits.RevokedKeyRetention;

        _time.Pass(days - TimeSpan.FromSeconds(1));
        await app.RefreshAsync();
        Assert.Contains("k1.1", (await app.StoredKeysAsync()).Select(key => key.Kid));

        _time.Pass(TimeSpan.FromSeconds(1));
        await app.RefreshAsync();
        Assert.DoesNotContain("k1.1", (await app.StoredKeysAsync()).Select(key => key.Kid));
    }

    [Fact]
    public async Task StoreThatCannotBeRead_IsLoggedOnce_DegradesHealth_AndTokensAreIssued()
    {
        using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        Assert.Equal("Healthy", await KeyHealthAsync(app));
        await app.InStoreAsync(store => store.Database.ExecuteSqlRawAsync("ALTER TABLE \"Keys\" RENAME TO \"Away\""));
        _time.Pass(Day * 3);

        await app.RefreshAsync();
        await app.RefreshAsync();

        var token = app.Issue();
        Assert.Equal("k1.2", token.Kid);
        Assert.Equal((app.Now + Retirement).ToUnixTimeSeconds(), app.Deliver().Exp);
        Assert.True(app.Deliver().Accepts(token, app.Now));
        Assert.Single(
            app.Logs.Records, record => record.Contains("cannot be read from the store (SqliteException)", StringComparison.Ordinal));
        Assert.Equal(
            "Degraded: the keys cannot be read from the store (SqliteException); tokens are issued with the known keys",
            await KeyHealthAsync(app));

        await app.InStoreAsync(store => store.Database.ExecuteSqlRawAsync("ALTER TABLE \"Away\" RENAME TO \"Keys\""));
        await app.RefreshAsync();

        Assert.Equal("Healthy", await KeyHealthAsync(app));
        Assert.Contains(app.Logs.Records, record => record.Contains("can be read from the store again", StringComparison.Ordinal));
        Assert.Equal(["k1.2 Current", "k1.3 Next"], app.States());
    }

    [Fact]
    [Requirement("ABUSE-87")]
    public async Task Keys_AreNeitherInTheStore_NorInALog_InClear()
    {
        byte[] key;
        using (var app = RingApp.Create(_time, _folder.FullName).WithAllLogs())
        {
            (await new TokenRequest().SendAsync(app)).AssertOk();
            await app.RefreshAsync();
            key = app.Ring.Keys[0].Material.Octets;
            Assert.All(
                new[] { Convert.ToBase64String(key), Convert.ToHexString(key), app.Deliver().K },
                text => Assert.DoesNotContain(app.Logs.Records, record => record.Contains(text, StringComparison.OrdinalIgnoreCase)));
            Assert.DoesNotContain(app.Deliver().K, app.Ring.Keys[0].ToString(), StringComparison.Ordinal);
        }

        Assert.Equal(32, key.Length);
        foreach (var file in _folder.EnumerateFiles("waf.db*")) Assert.Equal(-1, File.ReadAllBytes(file.FullName).AsSpan().IndexOf(key));
        if (OperatingSystem.IsWindows()) return;
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
            new DirectoryInfo(Path.Combine(_folder.FullName, "keys")).UnixFileMode);
    }

    private static async Task SetUsesAsync(WafApp app, long uses)
    {
        var rows = await app.StoredKeysAsync();
        app.Ring.Replace([], _ => throw new InvalidOperationException());
        app.Ring.Replace(rows, row => new KeyMaterial(row.Kid, AccessTokenAlgorithm.A256Gcm, new byte[32], uses));
    }

    private static async Task<string?> KeyHealthAsync(WafApp app)
    {
        using var client = app.CreateClient();
        var answer = await client.GetAsync(new Uri("/health", UriKind.Relative), TestContext.Current.CancellationToken);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("checks")
            .GetProperty("keys").GetString();
    }

    /// <summary>A store at which something happens before each write of keys.</summary>
    private sealed class SlowStore(Action beforeWrite) : SaveChangesInterceptor
    {
        public int Writes { get; private set; }

        public void AddTo(IServiceCollection services) =>
            services.ConfigureDbContext<WafDatabase>(options => options.AddInterceptors(this));

        public override ValueTask<InterceptionResult<int>> SavingChangesAsync(
            DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            if (!eventData.Context!.ChangeTracker.Entries<StoredKey>().Any()) return ValueTask.FromResult(result);
            beforeWrite();
            Writes++;
            return ValueTask.FromResult(result);
        }
    }
}
