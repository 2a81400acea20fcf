using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults.KeyDelivery;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Tests.Admission;
using WebRtcIms.Turn.Tests.Running;
using WebRtcIms.Turn.Tests.Telemetry;
using static WebRtcIms.Turn.Tests.Delivery.DeliveryFixture;

namespace WebRtcIms.Turn.Tests.Delivery;

/// <summary>The TURN server fetches its keys from the WAF, on a clock that the test moves.</summary>
public sealed class KeyDeliveryTests
{
    private const string ServerName = "turn.webrtcims.local";
    private const string Kept = "Warning WebRtcIms.ServiceDefaults.KeyDelivery.KeyFetcher The long-term keys cannot be fetched";
    private const string Fetched = "Information WebRtcIms.ServiceDefaults.KeyDelivery.KeyFetcher The long-term keys have been fetched";

    private static readonly DateTimeOffset InAnHour = TimeProvider.System.GetUtcNow().AddHours(1);

    private readonly TokenKey _current = new("k.1");
    private readonly TokenKey _next = new("k.2");

    [Fact]
    [Requirement("RFC7635-4.1.1")]
    public async Task ServerWithoutKeys_OffersTokens_AndAcceptsThemOnceTheKeysHaveCome()
    {
        await using var fixture = await CreateAsync(null, [_current.Delivered(InAnHour), _next.Delivered(InAnHour)]);

        Assert.Equal(
            ServerName, (await fixture.Turn.ChallengeAsync(fixture.Turn.NewClient())).Text(StunAttributeType.ThirdPartyAuthorization));
        Assert.Equal(StunError.Unauthenticated, await fixture.AllocateAsync(_current));
        var before = await fixture.HealthAsync();
        Assert.Equal(HealthStatus.Unhealthy, before.Status);
        Assert.Contains("there are no keys. Turn:KeyDelivery:Address", before.Description, StringComparison.Ordinal);

        await fixture.StartDeliveryAsync();
        await fixture.UntilWaitingAsync(Interval, 1);

        Assert.Equal(
            [($"{LongTermKeys.Path}?service=turn&name={ServerName}", fixture.Waf.ClientCertificate.Thumbprint)], fixture.Waf.Requests);
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_current));
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_next));
        Assert.Equal(StunError.Unauthenticated, await fixture.AllocateAsync(new TokenKey("k.1")));
        Assert.Equal(HealthStatus.Healthy, (await fixture.HealthAsync()).Status);
    }

    [Fact]
    [Requirement("ABUSE-48")]
    public async Task Poll_FetchesAtTheInterval_AndNotBefore()
    {
        await using var fixture = await StartAsync(_current.Delivered(InAnHour));
        fixture.Waf.Keys = [_current.Delivered(InAnHour), _next.Delivered(InAnHour)];

        fixture.Turn.Time.Advance(Interval - TimeSpan.FromMilliseconds(1));
        Assert.Single(fixture.Waf.Requests);
        Assert.Equal(StunError.Unauthenticated, await fixture.AllocateAsync(_next));

        fixture.Turn.Time.Advance(TimeSpan.FromMilliseconds(1));
        await fixture.UntilWaitingAsync(Interval, 2);
        Assert.Equal(2, fixture.Waf.Requests.Count);
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_next));
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_current));
    }

    [Fact]
    [Requirement("ABUSE-48")]
    public async Task Message_FetchesAtOnce_IfItNamesThisServer()
    {
        await using var fixture = await StartAsync(_current.Delivered(InAnHour));
        fixture.Waf.Keys = [_next.Delivered(InAnHour), _current.Delivered(InAnHour)];
        var handle = fixture.Redis!.Subscriptions[LongTermKeys.Channel];

        handle(LongTermKeys.Channel, "turn.other.example");
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.Single(fixture.Waf.Requests);

        handle(LongTermKeys.Channel, ServerName);
        await fixture.UntilWaitingAsync(Interval, 2);
        Assert.Equal(2, fixture.Waf.Requests.Count);
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_next));
    }

    [Fact]
    [Requirement("ABUSE-48")]
    public async Task MessageDuringARequest_FetchesAgainAfterIt()
    {
        await using var fixture = await CreateAsync(new FakeRedis(), [_current.Delivered(InAnHour)]);
        var answering = new TaskCompletionSource();
        var old = fixture.Waf.Body();
        fixture.Waf.Respond = async context =>
        {
            await answering.Task;
            fixture.Waf.Respond = null;
            await context.Response.WriteAsync(old);
        };
        await fixture.StartDeliveryAsync();
        await Eventually.IsTrueAsync(() => fixture.Waf.Requests.Count == 1);

        fixture.Waf.Keys = [_next.Delivered(InAnHour)];
        fixture.Redis!.Subscriptions[LongTermKeys.Channel](LongTermKeys.Channel, ServerName);
        answering.SetResult();

        await fixture.UntilWaitingAsync(Interval, 2);
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_next));
    }

    [Fact]
    [Requirement("RFC7635-4.1.1")]
    public async Task WafThatIsAway_IsLoggedOnce_AndTheKeysStayUntilTheyExpire()
    {
        await using var fixture = await StartAsync(_current.Delivered(TimeProvider.System.GetUtcNow().AddSeconds(110)));
        await fixture.Waf.StopAsync();
        for (var i = 0; i < 3; i++) await fixture.PollAsync();

        Assert.Equal(StunError.None, await fixture.AllocateAsync(_current));
        Assert.Single(fixture.Logs, record => record.StartsWith(Kept, StringComparison.Ordinal));
        Assert.Contains("KeyDelivery:Address: the WAF cannot be reached (ConnectionError)", fixture.Logs[^1], StringComparison.Ordinal);
        var health = await fixture.HealthAsync();
        Assert.Equal(HealthStatus.Degraded, health.Status);
        Assert.Contains("the known ones stay. Turn:KeyDelivery:Address: the WAF cannot", health.Description, StringComparison.Ordinal);

        // 120 s after the start.
        for (var i = 0; i < 2; i++) await fixture.PollAsync();
        fixture.Turn.Time.Advance(Interval);
        await fixture.UntilWaitingAsync(KeyFetcher.RetryInterval, 1);
        fixture.Turn.Get<KeyReload>().ReloadIfChanged();
        Assert.Equal(StunError.Unauthenticated, await fixture.AllocateAsync(_current));
        Assert.Equal(HealthStatus.Unhealthy, (await fixture.HealthAsync()).Status);
        Assert.Contains("All keys have expired", fixture.Logs[^1], StringComparison.Ordinal);

        fixture.Waf.Keys = [fixture.Live(_next)];
        await fixture.Waf.StartAsync();
        fixture.Turn.Time.Advance(KeyFetcher.RetryInterval);
        await Eventually.IsTrueAsync(() => fixture.Logs.Count(record => record.StartsWith(Fetched, StringComparison.Ordinal)) == 2);
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_next));
        Assert.Equal(HealthStatus.Healthy, (await fixture.HealthAsync()).Status);
        Assert.Single(fixture.Logs, record => record.StartsWith(Kept, StringComparison.Ordinal));
    }

    [Fact]
    public async Task WafThatIsNotUpYet_IsAskedEachSecond()
    {
        await using var fixture = await CreateAsync(null, [_current.Delivered(InAnHour)]);
        await fixture.Waf.StopAsync();
        await fixture.StartDeliveryAsync();
        for (var i = 1; i <= 3; i++)
        {
            await fixture.UntilWaitingAsync(KeyFetcher.RetryInterval, i);
            if (i == 3) await fixture.Waf.StartAsync();
            fixture.Turn.Time.Advance(KeyFetcher.RetryInterval);
        }

        await fixture.UntilWaitingAsync(Interval, 1);
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_current));
        Assert.Single(fixture.Logs, record => record.StartsWith(Kept, StringComparison.Ordinal));
    }

    [Fact]
    [Requirement("RFC7635-4.1.1")]
    public async Task KeyThatTheResponseNoLongerHas_IsAcceptedUntilItsEnd()
    {
        await using var fixture = await StartAsync(_current.Delivered(TimeProvider.System.GetUtcNow().AddSeconds(50)));
        fixture.Waf.Keys = [_next.Delivered(InAnHour)];
        await fixture.PollAsync();
        await fixture.PollAsync();
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_current));
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_next));

        await fixture.PollAsync();
        Assert.Equal(StunError.Unauthenticated, await fixture.AllocateAsync(_current));
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_next));
        Assert.Equal(["k.2"], fixture.Turn.Get<KeyReload>().Ages().Select(age => age.Kid));
    }

    [Fact]
    [Requirement("ABUSE-48")]
    [Requirement("ABUSE-49")]
    public async Task KeyThatIsRevoked_IsRefusedAtOnce()
    {
        await using var fixture = await StartAsync(_current.Delivered(InAnHour), _next.Delivered(InAnHour));

        Assert.True(fixture.Turn.Get<Revocations>().Add(TurnRevocations.OfKey("k.1"), InAnHour));

        Assert.Equal(StunError.Unauthenticated, await fixture.AllocateAsync(_current));
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_next));
    }

    [Fact]
    [Requirement("RFC7635-4")]
    public async Task AllocationOfAKeyThatEnds_KeepsItsSessionKey()
    {
        await using var fixture = await StartAsync(_current.Delivered(TimeProvider.System.GetUtcNow().AddSeconds(30)));
        var client = fixture.Turn.NewClient(_current.Issue());
        Assert.Equal(StunError.None, await fixture.Turn.AllocateErrorAsync(client));

        fixture.Waf.Keys = [_next.Delivered(InAnHour)];
        await fixture.PollAsync();
        await fixture.PollAsync();

        Assert.Equal(StunError.Unauthenticated, await fixture.AllocateAsync(_current));
        Assert.Equal(StunError.None, await fixture.Turn.PermitAsync(client, "8.8.8.8:9"));
        client.Credential = client.Credential with { Token = null };
        Assert.Equal(StunError.None, (await fixture.Turn.RequestAsync(client, StunMethod.Refresh)).Error);
    }

    [Fact]
    public async Task RenewedCertificate_IsSentWithTheNextRequest_AndAMissingOneIsNamed()
    {
        await using var fixture = await StartAsync(_current.Delivered(InAnHour));
        var first = fixture.Waf.ClientCertificate.Thumbprint;
        fixture.Waf.ClientCertificate.Replace();
        await fixture.PollAsync();
        Assert.Equal([first, fixture.Waf.ClientCertificate.Thumbprint], fixture.Waf.Requests.Select(request => request.Thumbprint));

        File.Delete(fixture.Waf.ClientCertificate.CertificateFile);
        await fixture.PollAsync();
        Assert.Equal(2, fixture.Waf.Requests.Count);
        Assert.Contains("Turn:KeyDelivery:Certificate: '", fixture.Logs[^1], StringComparison.Ordinal);
        Assert.Contains("cannot be read (FileNotFoundException)", fixture.Logs[^1], StringComparison.Ordinal);
        Assert.Equal(StunError.None, await fixture.AllocateAsync(_current));
    }

    [Fact]
    [Requirement("ABUSE-48")]
    public async Task KeysOfTheSettings_StayBesideDeliveredOnes_AndABrokenFileDoesNotStopADelivery()
    {
        var file = Path.GetTempFileName();
        var configured = new TokenKey("k.0");
        await File.WriteAllTextAsync(file, $"[{configured.Json()}]", TestContext.Current.CancellationToken);
        await using var fixture = await CreateAsync(null, [_current.Delivered(InAnHour)], ("Turn__KeysFile", file));
        Assert.Equal(StunError.None, await fixture.AllocateAsync(configured));
        File.Delete(file);
        fixture.Turn.Get<KeyReload>().ReloadIfChanged();
        Assert.Contains("The keys were not replaced; the old ones stay. Turn:KeysFile", fixture.Logs[^1], StringComparison.Ordinal);

        await fixture.StartDeliveryAsync();
        await fixture.UntilWaitingAsync(Interval, 1);
        fixture.Turn.Get<KeyReload>().ReloadIfChanged();

        Assert.Equal(StunError.None, await fixture.AllocateAsync(_current));
        Assert.Equal(StunError.None, await fixture.AllocateAsync(configured));
    }

    [Fact]
    public async Task DeliveredKey_ReplacesTheOneOfTheSettingsWithItsKid()
    {
        var configured = new TokenKey("k.1");
        await using var fixture = await CreateAsync(null, [_current.Delivered(InAnHour)], [.. configured.Settings()]);

        await fixture.StartDeliveryAsync();
        await fixture.UntilWaitingAsync(Interval, 1);

        Assert.Equal(StunError.None, await fixture.AllocateAsync(_current));
        Assert.Equal(StunError.Unauthenticated, await fixture.AllocateAsync(configured));
    }

    [Fact]
    public async Task EndThatMoves_IsNotLogged()
    {
        await using var fixture = await StartAsync(_current.Delivered(InAnHour));
        for (var i = 1; i <= 2; i++)
        {
            fixture.Waf.Keys = [_current.Delivered(InAnHour.AddSeconds(20 * i))];
            await fixture.PollAsync();
        }

        Assert.Single(fixture.Logs, record => record.Contains("Tokens are now accepted under the keys k.1", StringComparison.Ordinal));
        Assert.Equal(2, fixture.Logs.Count);
        var remaining = Assert.Single(fixture.Turn.Get<KeyReload>().Ages()).Remaining;
        Assert.Equal(InAnHour.AddSeconds(40).ToUnixTimeSeconds(), (fixture.Turn.Time.GetUtcNow() + remaining!.Value).ToUnixTimeSeconds());
    }

    [Fact]
    public async Task Metrics_TellTheAgeOfTheDelivery_AndTheEndOnlyOfKeysOfTheSettings()
    {
        var configured = new TokenKey("k.0");
        var end = TimeProvider.System.GetUtcNow().AddDays(4);
        await using var fixture = await CreateAsync(
            null, [_current.Delivered(InAnHour)], [.. configured.Settings(), ("Turn__Keys__0__NotAfter", $"{end:O}")]);
        fixture.Turn.Get<IServiceProvider>().ObserveTurn();
        using var measurements = new Measurements(fixture.Turn.Get<IMeterFactory>());
        fixture.Turn.Time.Advance(TimeSpan.FromSeconds(7));
        Assert.Equal(7, measurements.Read("turn.key.delivery.age", ""));

        await fixture.StartDeliveryAsync();
        await fixture.UntilWaitingAsync(Interval, 1);
        fixture.Turn.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(5, measurements.Read("turn.key.delivery.age", ""));
        await fixture.Waf.StopAsync();
        fixture.Turn.Time.Advance(TimeSpan.FromSeconds(15));
        await fixture.UntilWaitingAsync(Interval, 2);

        Assert.Equal(20, measurements.Read("turn.key.delivery.age", ""));
        Assert.Equal(["turn.kid=k.0", "turn.kid=k.1"], measurements.Of("turn.key.age").Select(key => key.Tags).Distinct());
        Assert.Equal("turn.kid=k.0", Assert.Single(measurements.Of("turn.key.remaining").Select(key => key.Tags).Distinct()));
    }
}
