using System.Net;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;
using WebRtcIms.Wwsf.Stores;

namespace WebRtcIms.Wwsf.Tests;

/// <summary>The WWSF registers itself at the WAF (TS 33.203 X.5.3.2, prerequisite a).</summary>
public sealed class SelfRegistrationTests
{
    [Fact]
    [Requirement("TS33.203-X.5.3.2-a")]
    [Requirement("RFC7591-2-1")]
    public async Task FirstStart_RegistersAKey_AndARestartUsesItAgain()
    {
        await using var waf = await StrictWaf.StartAsync();
        using var app = Registering(waf.Address);
        await AssertTokensAsync(app);
        using var restarted = Registering(waf.Address).WithDatabaseOf(app);
        await AssertTokensAsync(restarted);

        Assert.Equal(1, waf.Registrations);
        Assert.Empty(waf.Violations);
        Assert.Contains($"\"waf-client\":\"Healthy\"", await HealthAsync(app));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ReplicasThatStartTogether_RegisterOnce(bool isPostgres)
    {
        await using var postgres = isPostgres ? await PostgresServer.StartAsync() : null;
        await using var waf = await StrictWaf.StartAsync();
        using var first = Registering(waf.Address);
        using var second = Registering(waf.Address).WithDatabaseOf(first);
        using var third = Registering(waf.Address).WithDatabaseOf(first);
        WwsfApp[] replicas = [first, second, third];
        if (postgres is not null)
        {
            foreach (var replica in replicas) replica.WithPostgres(postgres.ConnectionString("wwsf"), first);
        }

        // No replica has registered before all have started.
        var opening = new TaskCompletionSource();
        waf.Opening = opening.Task;
        await Task.WhenAll(replicas.Select(replica => Task.Run(() => HealthAsync(replica))));
        opening.SetResult();
        foreach (var replica in replicas) await AssertTokensAsync(replica);

        Assert.Equal(1, waf.Registrations);
    }

    [Fact]
    public async Task WafThatIsNotThere_DoesNotStopTheStart_AndIsTriedAgain()
    {
        var port = FreePorts.Tcp();
        using var app = Registering($"http://127.0.0.1:{port}");
        var page = await app.OpenPageAsGuestAsync();
        await Eventually.IsTrueAsync(() => app.LogsWith("Warning WebRtcIms.Wwsf.Waf.Registration").Any());

        var answer = await page.TurnTokenAsync();
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "waf_unavailable"), (answer.Status, answer.Code));
        Assert.Equal("2", answer.Headers["Retry-After"]);
        var health = await HealthAsync(app);
        Assert.Contains("\"waf-client\":\"Degraded: not registered at the WAF: the WAF cannot be reached (ConnectionError)\"", health);

        await using var waf = await StrictWaf.StartAsync(port);
        await AssertTokensAsync(app);
        Assert.Contains("\"waf-client\":\"Healthy\"", await HealthAsync(app));
        Assert.Equal(1, waf.Registrations);
        // One record for all attempts that failed for one reason.
        Assert.Single(app.LogsWith("cannot be reached"));
    }

    [Fact]
    public async Task WafThatLostItsStore_GetsOneNewRegistration_ForAllReplicas()
    {
        await using var waf = await StrictWaf.StartAsync();
        using var first = Registering(waf.Address);
        using var second = Registering(waf.Address).WithDatabaseOf(first);
        await AssertTokensAsync(first);
        await AssertTokensAsync(second);
        waf.ForgetClients();

        var answer = await (await first.OpenPageAsGuestAsync()).TurnTokenAsync();

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "waf_unavailable"), (answer.Status, answer.Code));
        await AssertTokensAsync(first);
        await AssertTokensAsync(second);
        Assert.Equal(2, waf.Registrations);
        Assert.Single(waf.ClientIds);
        Assert.Single(first.LogsWith("does not know the client"));
        Assert.Empty(second.LogsWith("does not know the client"));
    }

    /// <summary>The WAF also says invalid_client when clocks differ. Registering again would not help, and would cost uses.</summary>
    [Fact]
    public async Task KnownClientThatIsRefused_DoesNotRegisterAgain_AndIsCheckedOnceAMinute()
    {
        await using var waf = await StrictWaf.StartAsync();
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var app = Registering(waf.Address, time);
        await AssertTokensAsync(app);
        waf.RefusesAssertions = true;
        var page = await app.OpenPageAsGuestAsync();

        Assert.Equal("waf_unavailable", (await page.TurnTokenAsync()).Code);
        await Eventually.IsTrueAsync(async () => (await page.TurnTokenAsync()).Code == "waf_refused");
        Assert.Equal("waf_refused", (await page.TurnTokenAsync()).Code);
        Assert.Equal(1, waf.Count("GET /oauth2/register"));
        Assert.Single(app.LogsWith("refuses what it signs. Compare the clocks"));

        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal("waf_unavailable", (await page.TurnTokenAsync()).Code);
        await Eventually.IsTrueAsync(() => waf.Count("GET /oauth2/register") == 2);
        waf.RefusesAssertions = false;
        await AssertTokensAsync(app);
        Assert.Equal(1, waf.Registrations);
    }

    [Fact]
    [Requirement("RFC7591-3-1")]
    public async Task UsedUpInitialAccessToken_IsNotSentAgain_AndTheLogNamesTheSetting()
    {
        await using var waf = await StrictWaf.StartAsync();
        waf.UsesLeft = 0;
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var app = Registering(waf.Address, time);
        var page = await app.OpenPageAsGuestAsync();

        await Eventually.IsTrueAsync(async () => (await page.TurnTokenAsync()).Code == "waf_refused");
        Assert.Contains(
            "\"waf-client\":\"Degraded: not registered at the WAF: the WAF refused Wwsf:Waf:InitialAccessToken", await HealthAsync(app));
        for (var attempt = 2; attempt < 5; attempt++)
        {
            await Eventually.IsTrueAsync(() =>
            {
                time.Advance(TimeSpan.FromMinutes(1));
                return waf.Count("GET metadata") >= attempt;
            });
        }

        Assert.Equal(1, waf.Registrations);
        // The clock may also have passed the time limit of a request for metadata, which begins a new record.
        var record = Assert.Single(app.LogsWith("Error WebRtcIms.Wwsf.Waf.Registration").Distinct());
        Assert.Contains("Wwsf:Waf:InitialAccessToken, which is used up, expired or unknown", record, StringComparison.Ordinal);

        // Another replica has another token.
        waf.UsesLeft = 1;
        using var replica = Registering(waf.Address).WithDatabaseOf(app);
        await AssertTokensAsync(replica);
        await Eventually.IsTrueAsync(async () =>
        {
            time.Advance(TimeSpan.FromMinutes(1));
            return (await page.TurnTokenAsync()).Status == HttpStatusCode.OK;
        });
        Assert.Equal(2, waf.Registrations);
    }

    [Fact]
    public async Task BusyWaf_IsNotAskedBeforeRetryAfter()
    {
        await using var waf = await StrictWaf.StartAsync();
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        waf.BeforeRegistration = context =>
        {
            if (waf.Registrations > 1) return null;
            context.Response.Headers.RetryAfter = "90";
            return 429;
        };
        using var app = Registering(waf.Address, time);
        var page = await app.OpenPageAsGuestAsync();
        await Eventually.IsTrueAsync(() => app.LogsWith("the WAF answered HTTP 429").Any());

        time.Advance(TimeSpan.FromSeconds(89));
        Assert.Equal("waf_unavailable", (await page.TurnTokenAsync()).Code);
        Assert.Equal(1, waf.Registrations);
        await Eventually.IsTrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return waf.Registrations == 2;
        });
        await AssertTokensAsync(app);
    }

    /// <summary>The WAF has the previous key until the next rotation, for replicas that still sign with it.</summary>
    [Fact]
    [Requirement("RFC7592-2.2-1")]
    public async Task Key_IsReplacedAfterAMonth_OnceForAllReplicas()
    {
        await using var waf = await StrictWaf.StartAsync();
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var first = Registering(waf.Address, time);
        using var second = Registering(waf.Address, time).WithDatabaseOf(first);
        await AssertTokensAsync(first);
        await AssertTokensAsync(second);
        var old = Assert.Single(waf.KeyIds());
        time.Advance(TimeSpan.FromDays(30) - TimeSpan.FromSeconds(5));
        await AssertTokensAsync(first);
        Assert.Equal(0, waf.Count("PUT /oauth2/register"));

        time.Advance(TimeSpan.FromSeconds(5));
        await Eventually.IsTrueAsync(() => Rotations() == 1);
        Assert.False(HasNewKey(first, 2) || HasNewKey(second, 2));
        await AssertTokensAsync(first);
        await Eventually.IsTrueAsync(() => Advance(() => HasNewKey(first, 2) && HasNewKey(second, 2)));
        await AssertTokensAsync(first);
        await AssertTokensAsync(second);

        Assert.Equal((1, 1), (waf.Registrations, waf.Count("PUT /oauth2/register")));
        Assert.Equal((2, old), (waf.KeyIds().Count, waf.KeyIds()[1]));
        time.Advance(TimeSpan.FromDays(30));
        await Eventually.IsTrueAsync(() => Rotations() == 2);
        await Eventually.IsTrueAsync(() => Advance(() => HasNewKey(first, 3) && HasNewKey(second, 3)));
        await AssertTokensAsync(first);
        await AssertTokensAsync(second);
        Assert.Equal((2, false), (waf.KeyIds().Count, waf.KeyIds().Contains(old)));
        Assert.Empty(waf.Violations);

        // Each replica logs its client when it reads the registration from the store.
        static bool HasNewKey(WwsfApp app, int reads) => app.LogsWith("This WWSF is the client").Count() >= reads;

        int Rotations() => first.LogsWith("has a new key at the WAF").Concat(second.LogsWith("has a new key at the WAF")).Count();

        // Other replicas of the WAF learn of a new key a moment later, so it is not used at once.
        bool Advance(Func<bool> isTrue)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return isTrue();
        }
    }

    [Fact]
    public async Task KeyThatCannotBeReplaced_IsKept_AndTriedAgainInAnHour()
    {
        await using var waf = await StrictWaf.StartAsync();
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var app = Registering(waf.Address, time);
        await AssertTokensAsync(app);
        waf.RefusesUpdates = true;

        time.Advance(TimeSpan.FromDays(30));
        await Eventually.IsTrueAsync(() => app.LogsWith("keeps its key at the WAF").Any());
        await AssertTokensAsync(app);
        time.Advance(TimeSpan.FromMinutes(59));
        await AssertTokensAsync(app);
        Assert.Equal(1, waf.Count("PUT /oauth2/register"));

        waf.RefusesUpdates = false;
        await Eventually.IsTrueAsync(() =>
        {
            time.Advance(TimeSpan.FromMinutes(1));
            return waf.KeyIds().Count == 2;
        });
        await AssertTokensAsync(app);
    }

    [Fact]
    public async Task RenamedWaf_GetsAssertionsForItsNewName()
    {
        await using var waf = await StrictWaf.StartAsync();
        using var app = Registering(waf.Address);
        await AssertTokensAsync(app);
        waf.Issuer = "https://waf2.example.org/";

        Assert.Equal("waf_unavailable", (await (await app.OpenPageAsGuestAsync()).TurnTokenAsync()).Code);
        await AssertTokensAsync(app);

        Assert.Equal((1, 0), (waf.Registrations, waf.Count("GET /oauth2/register")));
    }

    [Fact]
    public async Task WafWithoutAnIssuer_IsAnErrorThatNamesItsSetting()
    {
        await using var waf = await StrictWaf.StartAsync();
        waf.AcceptsSigners = false;
        using var app = Registering(waf.Address);
        var page = await app.OpenPageAsGuestAsync();

        await Eventually.IsTrueAsync(async () => (await page.TurnTokenAsync()).Code == "waf_refused");

        var record = Assert.Single(app.LogsWith("Error WebRtcIms.Wwsf.Waf.Registration"));
        Assert.Contains("it needs Waf:Issuer", record, StringComparison.Ordinal);
        Assert.Equal(0, waf.Registrations);
    }

    [Fact]
    public async Task LostKeyRing_IsAnErrorThatSaysWhatToDo()
    {
        await using var waf = await StrictWaf.StartAsync();
        using var app = Registering(waf.Address);
        await AssertTokensAsync(app);
        Directory.Delete(Path.Combine(app.DatabaseDirectory, "keys"), recursive: true);

        using var restarted = Registering(waf.Address).WithDatabaseOf(app);
        var page = await restarted.OpenPageAsGuestAsync();
        await Eventually.IsTrueAsync(async () => (await page.TurnTokenAsync()).Code == "waf_refused");

        Assert.Contains("delete the row of the table WafClients",
            Assert.Single(restarted.LogsWith("Error WebRtcIms.Wwsf.Waf.Registration")), StringComparison.Ordinal);
        Assert.Equal(1, waf.Registrations);
    }

    [Fact]
    public async Task LogsSpansAndStore_HaveNoSecret()
    {
        await using var waf = await StrictWaf.StartAsync();
        using var app = Registering(waf.Address).WithAllLogs();
        await AssertTokensAsync(app);
        waf.ForgetClients();
        await (await app.OpenPageAsGuestAsync()).TurnTokenAsync();
        await AssertTokensAsync(app);
        waf.UsesLeft = 0;

        List<string> written = [.. app.Logs.Records];
        lock (app.Spans) written.AddRange(app.Spans.SelectMany(span => span.TagObjects.Select(tag => $"{tag.Key}={tag.Value}")));
        await using var scope = app.Services.CreateAsyncScope();
        var row = await scope.ServiceProvider.GetRequiredService<WwsfStore>().WafClients.SingleAsync(TestContext.Current.CancellationToken);
        written.Add(Encoding.Latin1.GetString(row.ProtectedSecrets));
        Assert.Contains(written, text => text.Contains("INSERT", StringComparison.Ordinal));
        Assert.Equal(2, waf.AccessTokens.Count);
        Secrets.AssertNone(written, [StrictWaf.InitialAccessToken, .. waf.AccessTokens, "BEGIN PRIVATE KEY", "client_assertion="]);
    }

    /// <summary>The same with the real WAF.</summary>
    [Fact]
    [Requirement("TS33.203-X.5.3.2-a")]
    public async Task RealWaf_RegistersTheWwsf_AndAgainWithAnEmptyStore()
    {
        var port = FreePorts.Tcp();
        using var app = Registering($"http://127.0.0.1:{port}").With("Wwsf:TurnServerName", WafProcess.TurnServer);
        var page = await app.OpenPageAsGuestAsync();
        string? first;
        await using (await WafProcess.StartWithInitialAccessTokenAsync(port, StrictWaf.InitialAccessToken))
        {
            await Eventually.IsTrueAsync(async () => (await page.TurnTokenAsync()).Status == HttpStatusCode.OK);
            first = await ClientIdAsync(app);
        }

        await using var waf = await WafProcess.StartWithInitialAccessTokenAsync(port, StrictWaf.InitialAccessToken);
        Answer? answer = null;
        await Eventually.IsTrueAsync(async () => (answer = await page.TurnTokenAsync()).Status == HttpStatusCode.OK);

        Assert.Equal(Convert.FromBase64String(answer!.Text("key")!), waf.Decrypt(answer.Text("access_token")!).MacKey.ToArray());
        Assert.NotEqual(first, await ClientIdAsync(app));
        await waf.WaitForOutputAsync(await ClientIdAsync(app));
        Assert.DoesNotContain(StrictWaf.InitialAccessToken, waf.Output, StringComparison.Ordinal);
    }

    private static async Task<string> ClientIdAsync(WwsfApp app)
    {
        await using var scope = app.Services.CreateAsyncScope();
        return (await scope.ServiceProvider.GetRequiredService<WwsfStore>().WafClients.SingleAsync(TestContext.Current.CancellationToken))
            .ClientId;
    }

    private static WwsfApp Registering(string waf, TimeProvider? time = null) => new WwsfApp { Time = time }
        .With("services:waf:http:0", waf)
        .With("Wwsf:Waf:ClientSecret", "")
        .With("Wwsf:Waf:InitialAccessToken", StrictWaf.InitialAccessToken);

    private static async Task AssertTokensAsync(WwsfApp app)
    {
        var page = await app.OpenPageAsGuestAsync();
        await Eventually.IsTrueAsync(async () => (await page.TurnTokenAsync()).Status == HttpStatusCode.OK);
    }

    private static async Task<string> HealthAsync(WwsfApp app)
    {
        using var client = app.CreateClient();
        using var answer = await client.GetAsync(new Uri("/health", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
    }
}
