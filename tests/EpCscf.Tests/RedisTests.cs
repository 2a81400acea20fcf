using Microsoft.Extensions.Hosting;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>Bindings in a real Redis.</summary>
public sealed class RedisTests
{
    [Fact]
    public async Task RegistrationsAndCalls_WorkWithRedis_WhoseKeysSayNothingAndEnd()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var app = EpCscfApp.Start(settings: ("ConnectionStrings:redis", redis.Address));
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        Assert.StartsWith("SIP/2.0 200", (await bob.RegisterAsync(app.Token("bob"))).StartLine);
        await alice.SendAsync(alice.Invite("sip:bob@ims.example"));
        await bob.ExpectAsync("INVITE");

        await using var connection = await redis.ConnectAsync();
        var database = connection.GetDatabase();
        var keys = connection.GetServers()[0].Keys(pattern: "*").Select(key => key.ToString()).ToList();
        Assert.True(keys.Remove("ims:replicas"));
        Assert.Equal(4, keys.Count);
        foreach (var key in keys)
        {
            Assert.Matches("^ims:(binding|session):[A-Za-z0-9_-]{16}$", key);
            // A connection outlives its registration by an hour at most.
            var longer = key.StartsWith("ims:binding:", StringComparison.Ordinal) ? 3600 : 0;
            Assert.InRange((await database.KeyTimeToLiveAsync(key))!.Value.TotalSeconds, longer + 500, longer + 600);
        }

        var store = app.Service<IBindingStore>();
        var names = app.Service<BindingNames>();
        Assert.IsType<RedisBindingStore>(store);
        Assert.Equal(
            [names.Subscriber("bob@ims.example")],
            await store.OnlineAsync([names.Subscriber("bob@ims.example"), names.Subscriber("guest-1@ims.example")]));
        var binding = Assert.Single(await store.FindSessionAsync("session-of-bob"));
        Assert.False(await store.RemoveAsync(binding with { FlowId = "an older connection" }));
        Assert.True(await store.RemoveAsync(binding));
        Assert.Empty(await store.FindSessionAsync("session-of-bob"));

        await app.Service<RevokedSessions>().AddAsync("session-of-bob", TimeProvider.System.GetUtcNow() + TimeSpan.FromMinutes(11));
        Assert.StartsWith("SIP/2.0 401", (await bob.RegisterAsync(app.Token("bob"))).StartLine);
        var revoked = Assert.Single(connection.GetServers()[0].Keys(pattern: "ims:revoked:*"));
        Assert.InRange((await database.KeyTimeToLiveAsync(revoked))!.Value, TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(11));
    }

    /// <summary>For example a proxy in place of Redis. Before, the eP-CSCF ended.</summary>
    [Fact]
    public async Task RedisAnswersWithAnotherType_ReplicaGoesOn_AndIsAnnouncedAgain()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var proxy = new FaultProxy(redis.Address);
        await using var app = EpCscfApp.Start(settings: ("ConnectionStrings:redis", proxy.Address));
        await using var connection = await redis.ConnectAsync();
        var database = connection.GetDatabase();
        await Eventually.IsTrueAsync(() => database.KeyExistsAsync("ims:replicas"));

        var replaced = proxy.Replaced;
        proxy.Mode = ProxyMode.OtherKind;
        await Eventually.IsTrueAsync(() => Task.FromResult(proxy.Replaced > replaced));
        proxy.Mode = ProxyMode.Pass;
        await database.KeyDeleteAsync("ims:replicas");

        await Eventually.IsTrueAsync(() => database.KeyExistsAsync("ims:replicas"));
        Assert.False(app.Service<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested);
    }

    /// <summary>In a cluster each key may be on another node.</summary>
    [Fact]
    public async Task Cluster_KeepsRegistrations_AndLosesThemAtTheirEnd()
    {
        await using var redis = await RedisCluster.StartAsync();
        await using var app = EpCscfApp.Start(settings: ("ConnectionStrings:redis", redis.Address));
        var (store, names) = (app.Service<IBindingStore>(), app.Service<BindingNames>());
        foreach (var name in new[] { "alice", "bob" })
        {
            await using var page = await app.RegisterAsync(name);
            Assert.Single(await store.FindAsync(names.Subscriber($"{name}@ims.example")));
            var binding = Assert.Single(await store.FindSessionAsync($"session-of-{name}"));
            Assert.True(await store.RemoveAsync(binding));
            Assert.Empty(await store.FindAsync(names.Subscriber($"{name}@ims.example")));
            Assert.Empty(await store.FindSessionAsync($"session-of-{name}"));
        }

        Assert.DoesNotContain("Redis does not answer", app.Logs.Text);
    }

    [Fact]
    [Requirement("ABUSE-73")]
    public async Task RedisGoesAway_CallsGoOnWithWhatThisProcessKnows()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var app = EpCscfApp.Start(settings: ("ConnectionStrings:redis", redis.Address));
        await using var alice = await app.RegisterAsync("alice");
        await redis.StopAsync();

        await using var bob = await app.RegisterAsync("bob");
        await alice.SendAsync(alice.Invite("sip:bob@ims.example"));
        await bob.ExpectAsync("INVITE");
        Assert.Contains("Redis does not answer", app.Logs.Text);
    }

    [Fact]
    public async Task RedisLosesItsData_PagesOfAnotherReplicaCanBeCalledAgain_WithoutARegister()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var here = EpCscfApp.Start(settings: ("ConnectionStrings:redis", redis.Address));
        await using var there = EpCscfApp.Start(settings: ("ConnectionStrings:redis", redis.Address));
        await using var alice = await here.RegisterAsync("alice");
        await using var bob = await there.RegisterAsync("bob");

        await redis.StopAsync();
        await redis.RestartAsync();

        var subscriber = here.Service<BindingNames>().Subscriber("bob@ims.example");
        await Eventually.IsTrueAsync(async () => (await here.Service<IBindingStore>().FindAsync(subscriber)).Count > 0);
        Assert.Single(await here.Service<IBindingStore>().FindSessionAsync("session-of-bob"));
        await alice.SendAsync(alice.Invite("sip:bob@ims.example"));
        await bob.ExpectAsync("INVITE");
    }

    /// <summary>Otherwise the WWSF would give the identity of a guest in a call to the next one.</summary>
    [Fact]
    public async Task RedisLosesItsData_LeasesOfRegisteredGuestsAreSavedAgain()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var app = EpCscfApp.Start(settings: ("ConnectionStrings:redis", redis.Address));
        await using var guest = await app.RegisterAsync("guest-2");
        await using var alice = await app.RegisterAsync("alice");

        await redis.StopAsync();
        await redis.RestartAsync();

        await using var connection = await redis.ConnectAsync();
        var database = connection.GetDatabase();
        await Eventually.IsTrueAsync(() => database.KeyExistsAsync("ims:lease:{guest}:2"));
        Assert.Equal("session-of-guest-2", await database.StringGetAsync("ims:lease:{guest}:2"));
        Assert.Equal("2", await database.HashGetAsync("ims:lease:{guest}:session:session-of-guest-2", "number"));
        var keys = connection.GetServers()[0].Keys(pattern: "ims:lease:*").ToList();
        Assert.Equal(2, keys.Count);
        foreach (var key in keys) Assert.InRange((await database.KeyTimeToLiveAsync(key))!.Value.TotalSeconds, 500, 600);
    }

    /// <summary>Redis knows the replica again, but the replica has not learned that it was unknown.</summary>
    [Fact]
    public async Task RedisLosesItsData_AndTheAnswerToTheAnnouncement_BindingsAreSavedAgain()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var proxy = new FaultProxy(redis.Address) { Delay = TimeSpan.FromSeconds(0.6) };
        await using var app = EpCscfApp.Start(settings: ("ConnectionStrings:redis", proxy.Address));
        await using var bob = await app.RegisterAsync("bob");
        await using var connection = await redis.ConnectAsync();
        var database = connection.GetDatabase();

        // The announcement arrives, and its answer comes too late.
        proxy.Mode = ProxyMode.Delay;
        await connection.GetServers()[0].FlushDatabaseAsync();
        await Eventually.IsTrueAsync(() => database.KeyExistsAsync("ims:replicas"));
        proxy.Mode = ProxyMode.Pass;

        var key = $"ims:binding:{app.Service<BindingNames>().Subscriber("bob@ims.example")}";
        await Eventually.IsTrueAsync(() => database.KeyExistsAsync(key));
    }

    [Fact]
    public async Task RestoredBinding_ReplacesOnlyAnOlderOne()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var app = EpCscfApp.Start(settings: ("ConnectionStrings:redis", redis.Address));
        await using var bob = await app.RegisterAsync("bob");
        var store = app.Service<IBindingStore>();
        var known = Assert.Single(await store.FindSessionAsync("session-of-bob"));

        Assert.True(await store.RestoreAsync(known with { FlowId = "before", ExpiresAt = known.ExpiresAt.AddSeconds(-1) }));
        Assert.Equal(known, Assert.Single(await store.FindAsync(known.Id.Subscriber)));
        Assert.True(await store.RestoreAsync(known with { FlowId = "after", ExpiresAt = known.ExpiresAt.AddSeconds(1) }));
        Assert.Equal("after", Assert.Single(await store.FindAsync(known.Id.Subscriber)).FlowId);

        await redis.StopAsync();
        Assert.False(await store.RestoreAsync(known));
    }
}
