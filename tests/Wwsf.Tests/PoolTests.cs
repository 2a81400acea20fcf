using System.Globalization;
using System.Net;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>
/// Scenario 3: each anonymous session has its own identity of the pool. The same rules apply to the store in memory and to a real
/// Redis.
/// </summary>
[Requirement("TS33203-X.4")]
public sealed class PoolTests
{
    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task ManySessionsAtOnce_NoTwoShareAnIdentity(Store store)
    {
        await using var system = await PoolSystem.StartAsync(store, size: 20);
        var pages = await system.GuestsAsync(20);
        var impus = await Task.WhenAll(pages.Select(ImpuAsync));

        Assert.Equal(Enumerable.Range(1, 20).Select(number => $"sip:guest-{number}@webrtcims.local").Order(), impus.Order());
    }

    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task SameSessionFromManyTabsAtOnce_TakesOneIdentity(Store store)
    {
        await using var system = await PoolSystem.StartAsync(store, size: 2);
        var page = (await system.GuestsAsync(1))[0];
        var impus = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => ImpuAsync(page)));
        var neighbour = await ImpuAsync((await system.GuestsAsync(1))[0]);

        Assert.Single(impus.Distinct());
        Assert.NotEqual(impus[0], neighbour);
    }

    /// <summary>A guest who leaves counts until the quarantine is over: otherwise coming and going would empty the pool.</summary>
    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    [Requirement("ABUSE-91")]
    public async Task BurstFromOneAddress_LeavesIdentitiesForOthers(Store store)
    {
        await using var system = await PoolSystem.StartAsync(store, size: 6, quarantine: "00:00:02");
        var pages = await system.GuestsAsync(6);
        for (var i = 0; i < 3; i++) Assert.Equal(HttpStatusCode.OK, (await FromAsync(pages[i], "192.0.2.7")).Status);
        var refused = await FromAsync(pages[3], "192.0.2.7");
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.Status);
        Assert.Equal("too_many_guests", refused.Code);
        Assert.StartsWith("Your network has as many guests", refused.Text("detail"));

        // Those who have one keep it, other addresses get theirs, and this machine has no limit.
        Assert.Equal(HttpStatusCode.OK, (await FromAsync(pages[0], "192.0.2.7")).Status);
        Assert.Equal(HttpStatusCode.OK, (await FromAsync(pages[4], "192.0.2.8")).Status);
        await ImpuAsync(pages[5]);

        await pages[0].SendAsync(HttpMethod.Delete, "/api/session", null, ("X-Forwarded-For", "192.0.2.7"));
        Assert.Equal("too_many_guests", (await FromAsync(pages[3], "192.0.2.7")).Code);
        system.Time.Advance(TimeSpan.FromSeconds(3));
        await WaitAsync(async () => (await FromAsync(pages[3], "192.0.2.7")).Status == HttpStatusCode.OK);
    }

    private static Task<Answer> FromAsync(Page page, string address) =>
        page.SendAsync(HttpMethod.Post, "/api/ims-token", null, ("X-Forwarded-For", address));

    /// <summary>Redis has its own clock, which runs in real time.</summary>
    private static async Task WaitAsync(Func<Task<bool>> condition)
    {
        for (var tries = 0; !await condition(); tries++)
        {
            Assert.True(tries < 100, "the condition did not come true within ten seconds");
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }
    }

    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task Reload_TheSameIdentity(Store store)
    {
        await using var system = await PoolSystem.StartAsync(store, size: 50);
        var page = (await system.GuestsAsync(1))[0];
        var impu = await ImpuAsync(page);

        Assert.Equal(impu, (await page.LoadAsync()).Text("impu"));
        Assert.Equal(impu, (await page.ContinueAsGuestAsync()).Text("impu"));
        Assert.Equal(impu, await ImpuAsync(page));
    }

    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task PoolExhausted_ServiceUnavailableWithASentence(Store store)
    {
        await using var system = await PoolSystem.StartAsync(store, size: 2);
        var pages = await system.GuestsAsync(3);
        var first = await ImpuAsync(pages[0]);
        await ImpuAsync(pages[1]);
        var answer = await pages[2].ImsTokenAsync();

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.Status);
        Assert.Equal("no_free_identity", answer.Code);
        Assert.StartsWith("All guest lines are in use.", answer.Text("detail"));
        Assert.Equal("60", answer.Headers["Retry-After"]);
        Assert.Equal(1, system.App.Counts["wwsf.ims_tokens outcome=no_free_identity"]);

        // The others are not affected, nor are users with an identity of their own.
        Assert.Equal(first, await ImpuAsync(pages[0]));
        Assert.Equal("alice", (await pages[2].LogInAsync("alice", "alice-calls-bob")).Text("user"));
        Assert.Equal("sip:alice@webrtcims.local", await ImpuAsync(pages[2]));
    }

    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task PoolSettings_AllReachThePool(Store store)
    {
        await using var system = await PoolSystem.StartAsync(store, size: 2, quarantine: "00:00:30");
        system.App.With("Wwsf:Pool:Name", "visitor").With("Wwsf:Pool:DisplayName", "Visitor")
            .With("Wwsf:Pool:PerAddress", "1").With("Wwsf:Pool:Lease", "00:05:00").With("Wwsf:HomeDomain", "ims.example.com");
        system.Waf.Script = (context, _) => ScriptedWaf.Json(context, 200, ScriptedWaf.RegistrationAnswer(60));
        var pages = await system.GuestsAsync(4);
        var first = await FromAsync(pages[0], "192.0.2.7");
        Assert.Matches("^sip:visitor-[12]@ims.example.com$", first.Text("impu"));
        Assert.Matches("^Visitor [12]$", first.Text("display_name"));

        var refused = await FromAsync(pages[1], "192.0.2.7");
        Assert.Equal(("too_many_guests", "30"), (refused.Code, refused.Headers["Retry-After"]));
        Assert.Equal(HttpStatusCode.OK, (await FromAsync(pages[2], "192.0.2.8")).Status);
        Assert.Equal("no_free_identity", (await FromAsync(pages[3], "192.0.2.9")).Code);
        if (store == Store.Redis)
        {
            // Redis has its own clock.
            Assert.InRange((await system.Redis!.KeyTimeToLiveAsync("ims:lease:{visitor}:1"))!.Value.TotalSeconds, 300, 330);
            return;
        }

        system.Time.Advance(TimeSpan.FromSeconds(329));
        Assert.Equal("no_free_identity", (await FromAsync(pages[3], "192.0.2.9")).Code);
        system.Time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(HttpStatusCode.OK, (await FromAsync(pages[3], "192.0.2.9")).Status);
    }

    [Fact]
    public async Task SignedOut_TheIdentityIsInQuarantineFirst()
    {
        await using var system = await PoolSystem.StartAsync(Store.Memory, size: 1);
        var pages = await system.GuestsAsync(2);
        await ImpuAsync(pages[0]);
        await pages[0].SignOutAsync();

        system.Time.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal("no_free_identity", (await pages[1].ImsTokenAsync()).Code);
        system.Time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("sip:guest-1@webrtcims.local", await ImpuAsync(pages[1]));
    }

    [Fact]
    public async Task SignedOutWithRedis_TheIdentityIsInQuarantineFirst()
    {
        await using var system = await PoolSystem.StartAsync(Store.Redis, size: 1, quarantine: "00:00:02");
        var pages = await system.GuestsAsync(2);
        await ImpuAsync(pages[0]);
        await pages[0].SignOutAsync();

        Assert.InRange((await system.Redis!.KeyTimeToLiveAsync("ims:lease:{guest}:1"))!.Value.TotalSeconds, 0.1, 2);
        Assert.Equal("no_free_identity", (await pages[1].ImsTokenAsync()).Code);
        Answer answer;
        while ((answer = await pages[1].ImsTokenAsync()).Status != HttpStatusCode.OK)
        {
            Assert.Equal("no_free_identity", answer.Code);
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        Assert.Equal("sip:guest-1@webrtcims.local", answer.Text("impu"));
    }

    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task LogInAsAUser_ReleasesTheGuestsIdentity(Store store)
    {
        await using var system = await PoolSystem.StartAsync(store, size: 1);
        var page = (await system.GuestsAsync(1))[0];
        await ImpuAsync(page);
        var answer = await page.LogInAsync("alice", "alice-calls-bob");

        Assert.Equal("sip:alice@webrtcims.local", answer.Text("impu"));
        Assert.Single(system.EpCscf.Requests, request => request == ("end", system.Waf.Requests[0].Form["sid"]));
        if (store == Store.Redis) Assert.Equal("quarantine", await system.Redis!.StringGetAsync("ims:lease:{guest}:1"));
    }

    /// <summary>The eP-CSCF saves the leases of registered guests again. One that another session has by then stays with it.</summary>
    [Fact]
    public async Task RedisLosesItsData_RegisteredGuestKeepsTheIdentity()
    {
        await using var system = await PoolSystem.StartAsync(Store.Redis, size: 2);
        var pages = await system.GuestsAsync(2);
        var own = await ImpuAsync(pages[0]);
        var number = int.Parse(own["sip:guest-".Length..own.IndexOf('@', StringComparison.Ordinal)], CultureInfo.InvariantCulture);
        var sid = (string)(await system.Redis!.StringGetAsync($"ims:lease:{{guest}}:{number}"))!;

        await system.Redis.KeyDeleteAsync([$"ims:lease:{{guest}}:{number}", $"ims:lease:{{guest}}:session:{sid}"]);
        foreach (var holder in new[] { sid, "another session" })
            await PoolLeases.RestoreAsync(system.Redis, "guest", number, holder, TimeSpan.FromMinutes(5));

        Assert.NotEqual(own, await ImpuAsync(pages[1]));
        Assert.Equal(own, await ImpuAsync(pages[0]));
    }

    [Fact]
    public async Task EpCscfDoesNotSayThatTheRegistrationEnded_TheLeaseEndsByItselfOnly()
    {
        await using var system = await PoolSystem.StartAsync(Store.Memory, size: 1);
        system.EpCscf.Trouble = context =>
        {
            context.Response.StatusCode = 503;
            return Task.FromResult(true);
        };
        var pages = await system.GuestsAsync(2);
        await ImpuAsync(pages[0]);
        await pages[0].SignOutAsync();

        // The lease of 15 minutes outlives the token of 10, and after it comes the quarantine.
        system.Time.Advance(TimeSpan.FromMinutes(15.9));
        Assert.Equal("no_free_identity", (await pages[1].ImsTokenAsync()).Code);
        system.Time.Advance(TimeSpan.FromMinutes(0.2));
        Assert.Equal("sip:guest-1@webrtcims.local", await ImpuAsync(pages[1]));
    }

    [Fact]
    public async Task PageClosed_TheLeaseEndsByItselfAndUseRenewsIt()
    {
        await using var system = await PoolSystem.StartAsync(Store.Memory, size: 1);
        var pages = await system.GuestsAsync(2);
        var impu = await ImpuAsync(pages[0]);
        for (var i = 0; i < 3; i++)
        {
            system.Time.Advance(TimeSpan.FromMinutes(10));
            Assert.Equal(impu, await ImpuAsync(pages[0]));
            Assert.Equal("no_free_identity", (await pages[1].ImsTokenAsync()).Code);
        }

        system.Time.Advance(TimeSpan.FromMinutes(16.1));
        Assert.Equal(impu, await ImpuAsync(pages[1]));
        Assert.Equal("no_free_identity", (await pages[0].ImsTokenAsync()).Code);
        Assert.Null((await pages[0].LoadAsync()).Text("impu"));
    }

    [Theory]
    [InlineData(Store.Memory)]
    [InlineData(Store.Redis)]
    public async Task TokenLivesLongerThanTheLease_TheLeaseLastsUntilItExpires(Store store)
    {
        await using var system = await PoolSystem.StartAsync(store, size: 1);
        system.Waf.Script = (context, _) => ScriptedWaf.Json(context, 200, ScriptedWaf.RegistrationAnswer(7200));
        var pages = await system.GuestsAsync(2);
        await ImpuAsync(pages[0]);
        await pages[0].LoadAsync();

        if (store == Store.Redis)
        {
            Assert.InRange((await system.Redis!.KeyTimeToLiveAsync("ims:lease:{guest}:1"))!.Value.TotalSeconds, 7200, 7260);
            return;
        }

        system.Time.Advance(TimeSpan.FromSeconds(7259));
        Assert.Equal("no_free_identity", (await pages[1].ImsTokenAsync()).Code);
    }

    [Fact]
    public async Task TwoReplicasWithOneRedis_ShareThePool()
    {
        await using var system = await PoolSystem.StartAsync(Store.Redis, size: 10);
        using var replica = system.NewReplica();
        var pages = (await system.GuestsAsync(5)).ToList();
        for (var i = 0; i < 5; i++) pages.Add(await replica.OpenPageAsGuestAsync());
        var impus = await Task.WhenAll(pages.Select(ImpuAsync));

        Assert.Equal(10, impus.Distinct().Count());
    }

    [Fact]
    public async Task RedisDown_GuestsAreToldAndUsersGoOnAndItHeals()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var system = await PoolSystem.StartAsync(Store.Redis, size: 10, server: redis);
        var page = (await system.GuestsAsync(1))[0];
        var impu = await ImpuAsync(page);
        await redis.StopAsync();
        var answer = await page.ImsTokenAsync();

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.Status);
        Assert.Equal("leases_unavailable", answer.Code);
        Assert.Equal("2", answer.Headers["Retry-After"]);
        Assert.True((await page.LoadAsync()).Json.GetProperty("anonymous").GetBoolean());
        var user = await system.App.OpenPageAsync();
        await user.LogInAsync("alice", "alice-calls-bob");
        Assert.Equal("sip:alice@webrtcims.local", await ImpuAsync(user));

        // Empty after its restart: the session asks for the number first that it had.
        await redis.RestartAsync();
        while ((answer = await page.ImsTokenAsync()).Status != HttpStatusCode.OK)
        {
            Assert.Equal("leases_unavailable", answer.Code);
            // The session may ask 60 times a minute.
            await Task.Delay(200, TestContext.Current.CancellationToken);
        }

        Assert.Equal(impu, answer.Text("impu"));
    }

    [Fact]
    public async Task KeysInRedis_AllExpireAndTellNobodyWhoItIs()
    {
        await using var system = await PoolSystem.StartAsync(Store.Redis, size: 10);
        var pages = await system.GuestsAsync(2);
        foreach (var page in pages) await ImpuAsync(page);
        await pages[1].SignOutAsync();

        var server = system.Redis!.Multiplexer.GetServers()[0];
        var keys = server.Keys().ToList();
        // One has the revocation of the session that signed out, and one the leases that are not known to be registered.
        Assert.Equal(5, keys.Count);
        Assert.Contains(TurnRevocations.Key, keys);
        foreach (var key in keys)
        {
            if (key != TurnRevocations.Key) Assert.StartsWith("ims:lease:{guest}:", key.ToString());
            Assert.NotNull(await system.Redis.KeyTimeToLiveAsync(key));
        }
    }

    [Fact]
    public async Task GuestsSentAwayByTheDozen_AreLoggedTenTimesAndNotMore()
    {
        await using var system = await PoolSystem.StartAsync(Store.Memory, size: 1);
        var pages = await system.GuestsAsync(2);
        await ImpuAsync(pages[0]);
        for (var i = 0; i < 40; i++) Assert.Equal("no_free_identity", (await pages[1].ImsTokenAsync()).Code);

        // Ten at once, then one a second.
        Assert.InRange(system.App.LogsWith("identities of the pool").Count(), 10, 39);
    }

    private static async Task<string> ImpuAsync(Page page)
    {
        var answer = await page.ImsTokenAsync();
        Assert.Equal((HttpStatusCode.OK, null), (answer.Status, answer.Code));
        return answer.Text("impu")!;
    }
}
