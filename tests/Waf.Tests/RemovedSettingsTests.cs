using System.Net;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Clients;
using WebRtcIms.Waf.Provisioning;
using static WebRtcIms.Waf.Tests.ClientRegistrationRequest;

namespace WebRtcIms.Waf.Tests;

/// <summary>
/// What the settings do not name any more: clients, initial access tokens, and rings of keys. The store outlives the starts.
/// </summary>
public sealed class RemovedSettingsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("waf-tests-");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    [Requirement("SEC-7")]
    public async Task RemovedClient_IsRefusedAndDeleted_WithAnAuditRow_AndTheOthersStay()
    {
        using (var before = Start().WithRegistration())
        {
            (await AskAsOtherAsync(before)).AssertOk();
        }

        using var app = StartWithout();
        (await AskAsOtherAsync(app)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        (await new TokenRequest().SendAsync(app)).AssertOk();

        await Eventually.IsTrueAsync(async () => !await IsStoredAsync(app, WafApp.OtherClient));
        Assert.True(await IsStoredAsync(app, WafApp.Client));
        Assert.Contains("settings client.deleted other", await AuditAsync(app));
        Assert.Contains(app.Logs.Records, record => record.StartsWith("Warning ", StringComparison.Ordinal)
            && record.Contains("The client other is not in Waf:Clients any more", StringComparison.Ordinal));
    }

    [Fact]
    [Requirement("SEC-7")]
    public async Task ClientThatRegisteredItself_Stays()
    {
        RegistrationAnswer registered;
        using (var before = Start().WithRegistration()) registered = await RegisterAsync(before);

        using var app = StartWithout().WithRegistration();
        await Eventually.IsTrueAsync(async () => !await IsStoredAsync(app, WafApp.OtherClient));

        (await new TokenRequest().SendAsync(app, registered.ClientId, registered.Secret)).AssertOk();
    }

    [Fact]
    [Requirement("SEC-7")]
    public async Task TokensOfARemovedClient_AreRevoked_AlsoIfRedisAnswersLater()
    {
        using (var before = Start()) (await AskAsOtherAsync(before)).AssertOk();
        await using var redis = await RedisServer.StartAsync();
        await redis.StopAsync();
        using var app = StartWithout().With("ConnectionStrings:redis", redis.Address);
        (await AskAsOtherAsync(app)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        Assert.True(await IsStoredAsync(app, WafApp.OtherClient));

        await redis.RestartAsync();
        await Eventually.IsTrueAsync(async () => !await IsStoredAsync(app, WafApp.OtherClient));

        await using var connection = await redis.ConnectAsync();
        var until = await connection.GetDatabase().SortedSetScoreAsync(TurnRevocations.Key, TurnRevocations.OfClient(WafApp.OtherClient));
        Assert.True(until >= TimeProvider.System.GetUtcNow().Add(TokenLimits.LongestLifetime).ToUnixTimeSeconds());
    }

    /// <summary>A rolling update: the two replicas have different settings, and the old one starts last.</summary>
    [Fact]
    [Requirement("SEC-7")]
    public async Task ReplicaWithOtherSettings_RefusesTheClient_AndTheOneThatNamesItWritesItAgain()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var newer = Start(time);
        (await AskAsOtherAsync(newer)).AssertOk();
        using var older = StartWithout();
        (await AskAsOtherAsync(older)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
        await Eventually.IsTrueAsync(async () => !await IsStoredAsync(newer, WafApp.OtherClient));

        await Eventually.IsTrueAsync(() =>
        {
            time.Advance(RemovedClients.Interval);
            return IsStoredAsync(newer, WafApp.OtherClient);
        });

        time.Advance(ClientCache.Lifetime);
        (await AskAsOtherAsync(newer)).AssertOk();
        (await AskAsOtherAsync(older)).AssertError(HttpStatusCode.Unauthorized, "invalid_client");
    }

    [Fact]
    [Requirement("SEC-7")]
    public async Task InitialAccessTokenThatIsRemoved_IsRefused_AndComesBackWithTheUsesThatWereLeft()
    {
        using (var before = Start().WithRegistration(uses: 2)) (await RegisterAsync(before)).Assert(HttpStatusCode.Created);

        using (var without = Start().With("Waf:Issuer", WafApp.Issuer))
        {
            (await RegisterAsync(without)).AssertInvalidToken();
            await Eventually.IsTrueAsync(async () =>
                (await AuditAsync(without)).Contains($"settings initial_access_token.revoked {TokenName}"));
        }

        using var again = Start().WithRegistration(uses: 2);
        (await RegisterAsync(again)).Assert(HttpStatusCode.Created);
        (await RegisterAsync(again)).AssertInvalidToken();
    }

    /// <summary>A replica with the older settings starts last, and the one with the newer settings does not notice.</summary>
    [Fact]
    [Requirement("SEC-7")]
    public async Task InitialAccessTokenOfAnotherReplica_IsRefusedByTheOneWithoutIt()
    {
        using var without = Start().With("Waf:Issuer", WafApp.Issuer);
        _ = without.Services;
        using var older = Start().WithRegistration();
        (await RegisterAsync(older)).Assert(HttpStatusCode.Created);

        (await RegisterAsync(without)).AssertInvalidToken();
    }

    [Fact]
    [Requirement("SEC-7")]
    public async Task KeysOfARemovedTurnServer_AreNotUsed_AndAreDeletedWhenTheirTimeIsOver()
    {
        var time = new FakeTimeProvider(RingApp.Start);
        using (var before = RingApp.Create(time, _folder.FullName)) Assert.Equal(2, (await before.StoredKeysAsync()).Count);

        using var app = StartWithoutFirstServer(time);
        (await new TokenRequest().SendAsync(app)).AssertError(HttpStatusCode.BadRequest, "invalid_target");
        await Eventually.IsTrueAsync(() => Task.FromResult(app.Logs.Text.Contains(
            $"The settings do not name the key ring turn/{WafApp.TurnServer} any more", StringComparison.Ordinal)));
        Assert.Equal(2, (await app.StoredKeysAsync()).Count);

        // The next key would be current for a day, from tomorrow on. Until then another replica may use the ring.
        time.Pass(TimeSpan.FromDays(1) + RemovedRings.LongestLeadTime - RemovedRings.Interval);
        time.Advance(RemovedRings.Interval);
        Assert.Equal(2, (await app.StoredKeysAsync()).Count);
        await Eventually.IsTrueAsync(async () =>
        {
            time.Advance(RemovedRings.Interval);
            return (await app.StoredKeysAsync()).Count == 0;
        });

        Assert.Contains("settings key.deleted k1.1", await app.AuditAsync());
    }

    private static Task<TokenAnswer> AskAsOtherAsync(WafApp app) =>
        new TokenRequest().With("aud", WafApp.SecondTurnServer).SendAsync(app, WafApp.OtherClient, WafApp.OtherSecret);

    private static Task<bool> IsStoredAsync(WafApp app, string client) => app.InStoreAsync(store => store
        .Set<OpenIddict.EntityFrameworkCore.Models.OpenIddictEntityFrameworkCoreApplication>()
        .AnyAsync(known => known.ClientId == client, Cancel));

    private static Task<List<string>> AuditAsync(WafApp app) => app.InStoreAsync(store => store.Audit
        .Select(entry => $"{entry.Actor} {entry.Action} {entry.Subject}").ToListAsync(Cancel));

    private WafApp Start(FakeTimeProvider? time = null) =>
        new WafApp { Time = time }.With("ConnectionStrings:waf", $"Data Source={_folder.FullName}/waf.db;Pooling=false");

    private WafApp StartWithout()
    {
        var app = Start();
        foreach (var name in WafApp.GoodSettings().Keys.Where(name => name.StartsWith("Waf:Clients:1:", StringComparison.Ordinal)))
            app.Without(name);
        return app;
    }

    private WafApp StartWithoutFirstServer(FakeTimeProvider time)
    {
        var app = Start(time).Without("Waf:Clients:0:Audiences:1").With("Waf:Clients:0:Audiences:0", WafApp.SecondTurnServer);
        foreach (var name in WafApp.GoodSettings().Keys.Where(name => name.StartsWith("Waf:TurnServers:0:", StringComparison.Ordinal)))
            app.Without(name);
        return app;
    }
}
