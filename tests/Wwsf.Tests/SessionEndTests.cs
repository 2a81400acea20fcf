using System.Net;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>A session ends with all its rights: the cookie, the TURN tokens and the registration.</summary>
public sealed class SessionEndTests : IAsyncLifetime
{
    private readonly ObservedTime _time = new(TimeProvider.System.GetUtcNow());
    private RedisServer _server = null!;
    private ConnectionMultiplexer _redis = null!;
    private ScriptedWaf _waf = null!;
    private ScriptedEpCscf _epCscf = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await RedisServer.StartAsync();
        _redis = await _server.ConnectAsync();
        _waf = await ScriptedWaf.StartAsync();
        _epCscf = await ScriptedEpCscf.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _epCscf.DisposeAsync();
        await _waf.DisposeAsync();
        await _redis.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData("deleted")]
    [InlineData("locked for ever")]
    [InlineData("locked for an hour")]
    [InlineData("locked by SQL")]
    [InlineData("password changed")]
    [InlineData("security stamp changed")]
    [Requirement("SEC-6")]
    public async Task UserWhoMayNoLongerHaveASession_LosesItWithinAMinute_WithoutARequest(string what)
    {
        using var app = NewApp();
        var (page, bob) = (await app.OpenPageAsAliceAsync(), await app.OpenPageAsync());
        await bob.LogInAsync("bob", "bob-calls-alice");
        var (sid, bobs) = (await SidAsync(page), await SidAsync(bob));
        await ChangeAliceAsync(app, what);

        // A request is refused at once, also before the session has ended.
        Assert.Equal("session_expired", (await page.TurnTokenAsync()).Code);
        Assert.Equal("session_expired", (await page.ImsTokenAsync()).Code);
        await SessionSweeps.RunAsync(_time);

        Assert.InRange(await RevokedForAsync(sid), TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(11));
        Assert.Contains(("end", sid), _epCscf.Requests);
        Assert.DoesNotContain(("end", bobs), _epCscf.Requests);
        Assert.Null(await RevokedUntilAsync(bobs));
        Assert.Equal(HttpStatusCode.OK, (await bob.TurnTokenAsync()).Status);
    }

    [Fact]
    [Requirement("SEC-6")]
    public async Task AccountOfTheSameNameThatWasMadeAgain_GetsNoOldSession()
    {
        using var app = NewApp();
        var page = await app.OpenPageAsAliceAsync();
        await ChangeAliceAsync(app, "deleted");
        await app.AddUserAsync("alice", "another-password");

        Assert.Equal("session_expired", (await page.TurnTokenAsync()).Code);
    }

    [Fact]
    [Requirement("SEC-6")]
    [Requirement("SEC-17")]
    public async Task WrongPasswords_EndNoSession()
    {
        using var app = NewApp();
        var page = await app.OpenPageAsAliceAsync();
        var sid = await SidAsync(page);
        var stranger = await app.OpenPageAsync();
        for (var i = 0; i < 6; i++) await PastFailureTime.RunAsync(_time, stranger.LogInAsync("alice", "a wrong password"));
        await SessionSweeps.RunAsync(_time);

        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
        Assert.Null(await RevokedUntilAsync(sid));
    }

    [Theory]
    [InlineData("user signs out")]
    [InlineData("guest signs out")]
    [InlineData("guest logs in")]
    [InlineData("user logs in again")]
    [InlineData("another user logs in")]
    [Requirement("SEC-15")]
    public async Task EachEndOfASession_RevokesItsTokens_AndNotThoseOfTheNextSession(string how)
    {
        using var app = NewApp();
        var page = how.StartsWith("guest", StringComparison.Ordinal) ? await app.OpenPageAsGuestAsync() : await app.OpenPageAsAliceAsync();
        var sid = await SidAsync(page);
        if (how.EndsWith("signs out", StringComparison.Ordinal))
        {
            await page.SignOutAsync();
            await page.ContinueAsGuestAsync();
        }
        else
        {
            var (name, password) = how == "another user logs in" ? ("bob", "bob-calls-alice") : ("alice", "alice-calls-bob");
            Assert.Equal(name, (await page.LogInAsync(name, password)).Text("user"));
        }

        Assert.InRange(await RevokedForAsync(sid), TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(11));
        Assert.Contains(("end", sid), _epCscf.Requests);
        Assert.InRange(_epCscf.Until[sid] - _time.GetUtcNow(), TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(11));
        var next = await SidAsync(page);
        Assert.NotEqual(sid, next);
        Assert.Null(await RevokedUntilAsync(next));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("SEC-15")]
    public async Task RedisAndEpCscfAway_TheEndReachesThemLater_AlsoAfterARestart(bool restarts)
    {
        var firstTime = new ObservedTime(_time.GetUtcNow());
        using var first = NewApp(firstTime);
        var page = await first.OpenPageAsAliceAsync();
        var sid = await SidAsync(page);
        await _server.StopAsync();
        _epCscf.Trouble = context =>
        {
            context.Response.StatusCode = 503;
            return Task.FromResult(true);
        };
        Assert.Equal(HttpStatusCode.OK, (await page.SignOutAsync()).Status);
        await SessionSweeps.RunAsync(firstTime);
        Assert.NotEmpty(first.LogsWith("Redis does not answer"));
        Assert.NotEmpty(first.LogsWith("2 notifications wait"));

        await _server.RestartAsync();
        _epCscf.Trouble = _ => Task.FromResult(false);
        _epCscf.Requests.Clear();
        // The clock of the first one stands still then, so only the second one does it.
        using var second = restarts ? NewApp().WithDatabaseOf(first) : null;
        if (second is not null) await second.OpenPageAsync();
        // The connection to Redis takes its own time to return. Sweeps meanwhile would take the clock past the life of the tokens.
        await Eventually.IsTrueAsync(() => (second ?? first).Services.GetRequiredService<IConnectionMultiplexer>().IsConnected);
        await SessionSweeps.RunAsync(restarts ? _time : firstTime);

        Assert.True(await IsCompleteAsync(second ?? first));
        Assert.NotNull(await RevokedUntilAsync(sid));
        Assert.Contains(("end", sid), _epCscf.Requests);
    }

    [Theory]
    [InlineData(null, null, 24 * 60)]
    [InlineData(600, 60, 10)]
    [InlineData(3600, 60, 60)]
    [InlineData(60, 3600, 60)]
    [InlineData(900_000, 60, 24 * 60)]
    // Another replica may have issued the tokens of the other kind.
    [InlineData(600, null, 24 * 60)]
    [InlineData(null, 600, 24 * 60)]
    [Requirement("SEC-15")]
    public async Task Revocation_IsKeptAsLongAsTheLongestTokenThatWasIssued(int? turn, int? registration, int minutes)
    {
        using var app = NewApp();
        var page = await app.OpenPageAsAliceAsync();
        await IssueAsync(turn, registration);
        // Shorter ones change nothing.
        await IssueAsync(turn is null ? null : 30, registration is null ? null : 30);
        await page.SignOutAsync();

        var entry = (await _redis.GetDatabase().SortedSetRangeByRankWithScoresAsync(TurnRevocations.Key)).Single();
        var kept = DateTimeOffset.FromUnixTimeSeconds((long)entry.Score) - _time.GetUtcNow();
        Assert.InRange(kept, TimeSpan.FromMinutes(minutes), TimeSpan.FromMinutes(minutes + 1));
        Assert.InRange(
            Assert.Single(_epCscf.Until).Value - _time.GetUtcNow(), TimeSpan.FromMinutes(minutes), TimeSpan.FromMinutes(minutes + 1));

        async Task IssueAsync(int? turnLifetime, int? registrationLifetime)
        {
            _waf.Script = (context, _) => ScriptedWaf.Json(context, 200, context.Request.Form["scope"] == "stun"
                ? ScriptedWaf.GoodAnswer.Replace("600", $"{turnLifetime}", StringComparison.Ordinal)
                : ScriptedWaf.RegistrationAnswer(registrationLifetime!.Value));
            if (turnLifetime is not null) Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
            if (registrationLifetime is not null) Assert.Equal(HttpStatusCode.OK, (await page.ImsTokenAsync()).Status);
        }
    }

    [Fact]
    [Requirement("SEC-15")]
    public async Task NotificationsThatAreDone_AreNotRepeated()
    {
        using var app = NewApp();
        var page = await app.OpenPageAsAliceAsync();
        var sid = await SidAsync(page);
        await page.SignOutAsync();
        await SessionSweeps.RunAsync(_time);

        Assert.Single(_epCscf.Requests, ("end", sid));
    }

    [Fact]
    [Requirement("SEC-15")]
    public async Task EpCscfThatDoesNotAnswer_IsAskedAFewTimesInEachSweep_AndEachSessionHasItsTurn()
    {
        using var app = NewApp().With("Wwsf:Limits:LoginsPerMinute", "1000");
        _epCscf.Trouble = context =>
        {
            context.Response.StatusCode = 503;
            return Task.FromResult(true);
        };
        for (var i = 0; i < 40; i++)
        {
            var page = await app.OpenPageAsGuestAsync();
            await page.SignOutAsync();
        }
        _epCscf.Requests.Clear();
        await SessionSweeps.RunAsync(_time);

        // Two sweeps, of eight failures and as many requests as were under way.
        Assert.InRange(_epCscf.Requests.Count, 8, 2 * (8 + 7));
        _epCscf.Trouble = _ => Task.FromResult(false);
        await SessionSweeps.RunAsync(_time);
        Assert.True(await IsCompleteAsync(app));
    }

    /// <summary>As docs/operations.md says.</summary>
    [Fact]
    [Requirement("SEC-15")]
    public async Task AccountOfItsOwnAtRedis_ReachesOnlyItsKeys_AndItsPasswordChangesWithoutAnOutage()
    {
        var admin = _redis.GetDatabase();
        await admin.ExecuteAsync(
            "ACL", "SETUSER", "wwsf", "on", ">first", "~ims:lease:*", "~turn:revoked", "&turn:revocations", "+@all", "-@admin");
        using var before = NewApp().With("ConnectionStrings:redis", $"{_server.Address},user=wwsf,password=first,asyncTimeout=10000");
        await EndASessionAsync(before);
        await admin.ExecuteAsync("ACL", "SETUSER", "wwsf", ">second");
        using var after = NewApp().With("ConnectionStrings:redis", $"{_server.Address},user=wwsf,password=second,asyncTimeout=10000");
        await EndASessionAsync(before);
        await EndASessionAsync(after);
        await admin.ExecuteAsync("ACL", "SETUSER", "wwsf", "<first");
        await EndASessionAsync(after);

        var error = await Assert.ThrowsAsync<RedisServerException>(async () =>
        {
            await using var client = await ConnectionMultiplexer.ConnectAsync($"{_server.Address},user=wwsf,password=second");
            await client.GetDatabase().StringGetAsync("waf:assertion:x");
        });
        Assert.StartsWith("NOPERM", error.Message, StringComparison.Ordinal);

        async Task EndASessionAsync(WwsfApp app)
        {
            var page = await app.OpenPageAsGuestAsync();
            Assert.Equal(HttpStatusCode.OK, (await page.ImsTokenAsync()).Status);
            var sid = _waf.Requests[^1].Form["sid"];
            Assert.Equal(HttpStatusCode.OK, (await page.SignOutAsync()).Status);
            Assert.NotNull(await RevokedUntilAsync(sid));
        }
    }

    [Fact]
    [Requirement("SEC-15")]
    public async Task WithoutRedis_OneLineInTheLog_AndSessionsEnd()
    {
        using var app = new WwsfApp(waf: _waf, epCscf: _epCscf) { Time = _time };
        var page = await app.OpenPageAsAliceAsync();
        Assert.Equal(HttpStatusCode.OK, (await page.SignOutAsync()).Status);
        await SessionSweeps.RunAsync(_time);

        Assert.Single(app.LogsWith("ConnectionStrings:redis is not set, so the TURN tokens"));
        Assert.True(await IsCompleteAsync(app));
    }

    [Fact]
    [Requirement("SEC-6")]
    public async Task TwoReplicas_EndASessionOnce_AndOnBoth()
    {
        var otherTime = new ObservedTime(_time.GetUtcNow());
        using var first = NewApp();
        var page = await first.OpenPageAsAliceAsync();
        var sid = await SidAsync(page);
        using var second = NewApp(otherTime).WithDatabaseOf(first);
        var moved = await page.MoveToAsync(second);
        await ChangeAliceAsync(first, "locked for ever");
        await Task.WhenAll(SessionSweeps.RunAsync(_time), SessionSweeps.RunAsync(otherTime));

        Assert.Equal("session_expired", (await moved.TurnTokenAsync()).Code);
        Assert.NotNull(await RevokedUntilAsync(sid));
        Assert.Single(first.LogsWith("user locked").Concat(second.LogsWith("user locked")));
    }

    [Fact]
    [Requirement("SEC-6")]
    public async Task OtherSessions_AreListedAndEnded_OneOrAll()
    {
        using var app = NewApp();
        var pages = new List<Page>();
        for (var i = 0; i < 4; i++) pages.Add(await app.OpenPageAsAliceAsync());
        var (bob, guest) = (await app.OpenPageAsync(), await app.OpenPageAsGuestAsync());
        await bob.LogInAsync("bob", "bob-calls-alice");
        var others = (await pages[0].SendAsync(HttpMethod.Get, "/api/sessions")).Json.GetProperty("sessions").EnumerateArray().ToList();
        Assert.Equal(3, others.Count);
        Assert.All(others, other => Assert.Equal(_time.GetUtcNow().ToUnixTimeSeconds(),
            other.GetProperty("began_at").GetDateTimeOffset().ToUnixTimeSeconds()));
        Assert.Empty((await bob.SendAsync(HttpMethod.Get, "/api/sessions")).Json.GetProperty("sessions").EnumerateArray());
        Assert.Empty((await guest.SendAsync(HttpMethod.Get, "/api/sessions")).Json.GetProperty("sessions").EnumerateArray());

        var one = $"/api/sessions/{others[0].GetProperty("id").GetString()}";
        Assert.Equal(HttpStatusCode.NoContent, (await bob.SendAsync(HttpMethod.Delete, one)).Status);
        Assert.Equal(4, await CountAliveAsync(pages));
        Assert.Equal(HttpStatusCode.NoContent, (await pages[0].SendAsync(HttpMethod.Delete, one)).Status);
        Assert.Equal(3, await CountAliveAsync(pages));
        Assert.Equal(HttpStatusCode.NoContent, (await pages[0].SendAsync(HttpMethod.Delete, "/api/sessions")).Status);
        Assert.Equal(1, await CountAliveAsync(pages));
        Assert.Equal(HttpStatusCode.OK, (await pages[0].TurnTokenAsync()).Status);
        Assert.Equal(HttpStatusCode.OK, (await bob.TurnTokenAsync()).Status);
        Assert.Equal(HttpStatusCode.OK, (await guest.TurnTokenAsync()).Status);
        Assert.Equal(3, await _redis.GetDatabase().SortedSetLengthAsync(TurnRevocations.Key));

        pages[0].AntiforgeryToken = "";
        Assert.Equal("antiforgery", (await pages[0].SendAsync(HttpMethod.Delete, "/api/sessions")).Code);
    }

    [Fact]
    [Requirement("SEC-6")]
    public async Task UnusedSession_EndsAfterTheIdleTimeout_UnlessItIsRegistered()
    {
        using var app = NewApp().With("Wwsf:SessionIdleTimeout", "01:00:00");
        var (page, registered) = (await app.OpenPageAsAliceAsync(), await app.OpenPageAsAliceAsync());
        _epCscf.Registered[await SidAsync(registered)] = true;
        for (var i = 0; i < 3; i++)
        {
            _time.Advance(TimeSpan.FromMinutes(59));
            Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
        }

        _time.Advance(TimeSpan.FromMinutes(61));
        Assert.Equal("session_expired", (await page.TurnTokenAsync()).Code);
        Assert.Equal(HttpStatusCode.OK, (await registered.TurnTokenAsync()).Status);
    }

    private WwsfApp NewApp(TimeProvider? time = null) =>
        new WwsfApp(waf: _waf, epCscf: _epCscf) { Time = time ?? _time }
            .With("ConnectionStrings:redis", $"{_server.Address},asyncTimeout=10000");

    private async Task<string> SidAsync(Page page)
    {
        Assert.Equal(HttpStatusCode.OK, (await page.ImsTokenAsync()).Status);
        Assert.Equal(HttpStatusCode.OK, (await page.TurnTokenAsync()).Status);
        return _waf.Requests[^1].Form["sid"];
    }

    /// <summary>As the README says.</summary>
    private static async Task<IdentityResult> LockAsync(WwsfApp app)
    {
        await using var scope = app.Services.CreateAsyncScope();
        var rows = await scope.ServiceProvider.GetRequiredService<WwsfStore>().Database.ExecuteSqlAsync(
            $"""UPDATE "AspNetUsers" SET "LockoutEnd" = '9999-12-31 23:59:59+00:00' WHERE "NormalizedUserName" = 'ALICE'""",
            TestContext.Current.CancellationToken);
        return rows == 1 ? IdentityResult.Success : IdentityResult.Failed();
    }

    private async Task<DateTimeOffset?> RevokedUntilAsync(string sid) =>
        await _redis.GetDatabase().SortedSetScoreAsync(TurnRevocations.Key, TurnRevocations.OfSession(sid)) is { } until
            ? DateTimeOffset.FromUnixTimeSeconds((long)until)
            : null;

    private async Task<TimeSpan> RevokedForAsync(string sid) => (await RevokedUntilAsync(sid))!.Value - _time.GetUtcNow();

    private static async Task<bool> IsCompleteAsync(WwsfApp app)
    {
        await using var scope = app.Services.CreateAsyncScope();
        return !await scope.ServiceProvider.GetRequiredService<WwsfStore>().Sessions
            .AnyAsync(row => row.IsRegistrationPending || row.IsRevocationPending, TestContext.Current.CancellationToken);
    }

    private static async Task<int> CountAliveAsync(IEnumerable<Page> pages)
    {
        var alive = 0;
        foreach (var page in pages)
        {
            if ((await page.SendAsync(HttpMethod.Get, "/api/session")).Text("user") is not null) alive++;
        }
        return alive;
    }

    private static Task ChangeAliceAsync(WwsfApp app, string what) => app.ChangeUserAsync("alice", (users, alice) => what switch
    {
        "locked by SQL" => LockAsync(app),
        "deleted" => users.DeleteAsync(alice),
        "locked for ever" => users.SetLockoutEndDateAsync(alice, DateTimeOffset.MaxValue),
        "locked for an hour" => users.SetLockoutEndDateAsync(alice, TimeProvider.System.GetUtcNow().AddHours(1)),
        "password changed" => users.ChangePasswordAsync(alice, "alice-calls-bob", "alice-calls-carol"),
        _ => users.UpdateSecurityStampAsync(alice),
    });
}
