using System.Buffers.Text;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using WebRtcIms.Contracts;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.ServiceDefaults.KeyDelivery;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>The eP-CSCF fetches the keys of registration tokens from the WAF, on a clock that the test moves.</summary>
public sealed class RegistrationKeyTests : IAsyncLifetime
{
    private const string Accepted = "SIP/2.0 200 OK";
    private const string Refused = "SIP/2.0 401 Unauthorized";
    private const string Log = "WebRtcIms.ServiceDefaults.KeyDelivery.KeyFetcher The long-term keys";

    // The server has no other timer of this time.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(19);

    private readonly ObservedTime _time = new(TimeProvider.System.GetUtcNow());
    private readonly SharedKey _old = new("r1.1");
    private readonly SharedKey _new = new("r1.2");
    private KeyServer _waf = null!;

    public async ValueTask InitializeAsync() => _waf = await KeyServer.StartAsync(_old.Until(In(hours: 1)));

    public async ValueTask DisposeAsync()
    {
        await _waf.DisposeAsync();
        _old.Dispose();
        _new.Dispose();
    }

    [Fact]
    [Requirement("ABUSE-48")]
    public async Task DeliveredKey_IsAccepted_AndTheRequestNamesTheDomainWithTheCertificate()
    {
        await using var app = await StartAsync();

        Assert.Equal(
            [($"{LongTermKeys.Path}?service=ims&name={EpCscfApp.Domain}", _waf.ClientCertificate.Thumbprint)], _waf.Requests);
        Assert.Equal(Accepted, await RegisterAsync(app, _old));
        // A key of the same name that the WAF did not deliver.
        using var other = new SharedKey("r1.1");
        Assert.Equal(Refused, await RegisterAsync(app, other));
        Assert.Equal(Refused, await RegisterAsync(app, _new));
        Assert.Equal(HealthStatus.Healthy, (await HealthAsync(app)).Status);
        Assert.DoesNotContain(_waf.Keys[0].K, app.Logs.Text, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("ABUSE-48")]
    public async Task Rotation_AcceptsBothKeys_UntilTheRetiredOneExpires()
    {
        await using var app = await StartAsync();
        _waf.Keys = [_new.Until(In(hours: 2)), _old.Until(_time.GetUtcNow().AddSeconds(50))];
        await PollAsync();

        Assert.Equal(Accepted, await RegisterAsync(app, _old));
        Assert.Equal(Accepted, await RegisterAsync(app, _new));

        // 51 s after the announcement, without another response.
        await _waf.StopAsync();
        await PollAsync();
        _time.Advance(TimeSpan.FromSeconds(13));
        Assert.Equal(Refused, await RegisterAsync(app, _old));
        Assert.Equal(Accepted, await RegisterAsync(app, _new));
    }

    [Fact]
    [Requirement("ABUSE-49")]
    public async Task KeyThatTheWafHasRevoked_EndsWithTheNextResponse()
    {
        await using var app = await StartAsync();
        _waf.Keys = [_new.Until(In(hours: 1))];
        await PollAsync();

        Assert.Equal(Refused, await RegisterAsync(app, _old));
        Assert.Equal(Accepted, await RegisterAsync(app, _new));
    }

    [Fact]
    public async Task WafThatIsAway_IsLoggedOnce_AndTheKeysStayUntilTheyExpire()
    {
        _waf.Keys = [_old.Until(_time.GetUtcNow().AddSeconds(50))];
        await using var app = await StartAsync();
        await _waf.StopAsync();
        for (var i = 0; i < 2; i++) await PollAsync();

        Assert.Equal(Accepted, await RegisterAsync(app, _old));
        var degraded = await HealthAsync(app);
        Assert.Equal(HealthStatus.Degraded, degraded.Status);
        Assert.Contains("the known ones stay. EpCscf:KeyDelivery:Address: the WAF cannot", degraded.Description, StringComparison.Ordinal);
        Assert.Single(LogsOf(app), record => record.StartsWith($"Warning {Log} cannot be fetched", StringComparison.Ordinal));

        _time.Advance(Interval);
        await Eventually.IsTrueAsync(() => _time.Timers(KeyFetcher.RetryInterval) >= 1);
        Assert.Equal(Refused, await RegisterAsync(app, _old));
        Assert.Equal(HealthStatus.Unhealthy, (await HealthAsync(app)).Status);

        _waf.Keys = [_new.Until(In(hours: 1))];
        await _waf.StartAsync();
        _time.Advance(KeyFetcher.RetryInterval);
        await Eventually.IsTrueAsync(() => LogsOf(app).Count == 3);
        Assert.Equal(Accepted, await RegisterAsync(app, _new));
        Assert.Equal(HealthStatus.Healthy, (await HealthAsync(app)).Status);
        Assert.StartsWith($"Information {Log} have been fetched", LogsOf(app)[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task StartWithoutTheWaf_IsUnhealthy_AndAsksEachSecond()
    {
        await _waf.StopAsync();
        await using var app = Start();
        await Eventually.IsTrueAsync(() => _time.Timers(KeyFetcher.RetryInterval) >= 1);

        Assert.Equal(Refused, await RegisterAsync(app, _old));
        Assert.Contains(
            "there are no keys. EpCscf:KeyDelivery:Address", (await HealthAsync(app)).Description, StringComparison.Ordinal);

        await _waf.StartAsync();
        _time.Advance(KeyFetcher.RetryInterval);
        await Eventually.IsTrueAsync(() => _time.Timers(Interval) >= 1);
        Assert.Equal(Accepted, await RegisterAsync(app, _old));
    }

    [Fact]
    [Requirement("ABUSE-48")]
    public async Task Message_FetchesAtOnce_IfItNamesTheDomain()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var app = await StartAsync(("ConnectionStrings:redis", redis.Address));
        await using var connection = await redis.ConnectAsync();
        var publisher = connection.GetSubscriber();
        _waf.Keys = [_new.Until(In(hours: 1))];

        await Eventually.IsTrueAsync(async () => await publisher.PublishAsync(LongTermKeys.Channel, "turn.ims.example") > 0);
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.Single(_waf.Requests);

        await publisher.PublishAsync(LongTermKeys.Channel, EpCscfApp.Domain);
        await Eventually.IsTrueAsync(() => _time.Timers(Interval) >= 2);
        Assert.Equal(Accepted, await RegisterAsync(app, _new));
    }

    [Fact]
    public async Task KeyOfTheSettingsWithTheKidOfADeliveredOne_IsNotUsed()
    {
        using var configured = new SharedKey(_old.Ours.Kid);
        await using var app =
            await StartAsync(("EpCscf:TokenKeys:0:Kid", configured.Ours.Kid), ("EpCscf:TokenKeys:0:Key", configured.Base64));

        Assert.Equal(Accepted, await RegisterAsync(app, _old));
        Assert.Equal(Refused, await RegisterAsync(app, configured));
    }

    [Fact]
    public async Task KeysOfTheSettings_StayBesideDeliveredOnes()
    {
        using var configured = new SharedKey("r0");
        await using var app = await StartAsync(("EpCscf:TokenKeys:0:Kid", "r0"), ("EpCscf:TokenKeys:0:Key", configured.Base64));

        Assert.Equal(Accepted, await RegisterAsync(app, configured));
        Assert.Equal(Accepted, await RegisterAsync(app, _old));
    }

    [Theory]
    [InlineData("c2hvcnQ", "a key cannot be used: Key must have 32 octets")]
    [InlineData("a+secret/", "a key cannot be used: k must be base64url")]
    [InlineData("A128GCM", "a key cannot be used: enc must be A256GCM")]
    [InlineData("403", "EpCscf:KeyDelivery:Certificate: the WAF answers 403; its Waf:ImsRegistration must have")]
    [Requirement("ABUSE-48")]
    public async Task ResponseThatCannotBeUsed_ChangesNothing(string mistake, string problem)
    {
        await using var app = await StartAsync();
        var good = _new.Until(In(hours: 1));
        var other = good with { Kid = "r1.3" };
        _waf.Keys = [good, mistake == "A128GCM" ? other with { Enc = mistake } : other with { K = mistake }];
        if (mistake == "403")
        {
            _waf.Respond = context =>
            {
                context.Response.StatusCode = StatusCodes.Status403Forbidden;
                return Task.CompletedTask;
            };
        }

        await PollAsync();

        Assert.Contains(problem, (await HealthAsync(app)).Description, StringComparison.Ordinal);
        Assert.DoesNotContain(good.K, app.Logs.Text, StringComparison.Ordinal);
        Assert.Equal(Refused, await RegisterAsync(app, _new));
        Assert.Equal(Accepted, await RegisterAsync(app, _old));
    }

    private static DateTimeOffset In(int hours) => TimeProvider.System.GetUtcNow().AddHours(hours);

    private static async Task<HealthReportEntry> HealthAsync(EpCscfApp app) =>
        (await app.Service<HealthCheckService>().CheckHealthAsync(check => check.Name == "keys")).Entries["keys"];

    private static List<string> LogsOf(EpCscfApp app) =>
        [.. app.Logs.Records.Where(record => record.Contains(typeof(KeyFetcher).FullName!, StringComparison.Ordinal))];

    private static async Task<string> RegisterAsync(EpCscfApp app, SharedKey key)
    {
        await using var alice = await app.ConnectAsync();
        return (await alice.RegisterAsync(app.Token("alice", key: key.Ours))).StartLine;
    }

    private EpCscfApp Start(params (string Key, string Value)[] settings)
    {
        var delivery = _waf.SettingsOf("EpCscf")
            .Select(setting => (setting.Name.Replace("__", ":", StringComparison.Ordinal), setting.Value));
        return EpCscfApp.StartWithoutKey(_time, [("EpCscf:KeyDelivery:Interval", "00:00:19"), .. delivery, .. settings]);
    }

    private async Task<EpCscfApp> StartAsync(params (string Key, string Value)[] settings)
    {
        var app = Start(settings);
        await Eventually.IsTrueAsync(() => _time.Timers(Interval) >= 1);
        return app;
    }

    /// <summary>Moves the clock to the next poll, and returns when that has ended.</summary>
    private async Task PollAsync()
    {
        var polls = _time.Timers(Interval);
        _time.Advance(Interval);
        await Eventually.IsTrueAsync(() => _time.Timers(Interval) > polls);
    }

    /// <summary>A key as the WAF has it.</summary>
    private sealed class SharedKey : IDisposable
    {
        private readonly byte[] _octets = RandomNumberGenerator.GetBytes(RegistrationTokenKey.KeyLength);

        public SharedKey(string kid) => Ours = new RegistrationTokenKey(kid, _octets);

        public RegistrationTokenKey Ours { get; }

        public string Base64 => Convert.ToBase64String(_octets);

        public LongTermKey Until(DateTimeOffset end) =>
            new(Base64Url.EncodeToString(_octets), end.ToUnixTimeSeconds(), Ours.Kid, "A256GCM");

        public void Dispose() => Ours.Dispose();
    }
}
