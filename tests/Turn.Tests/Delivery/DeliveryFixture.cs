using Microsoft.Extensions.Diagnostics.HealthChecks;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults.KeyDelivery;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Tests.Admission;
using WebRtcIms.Turn.Tests.Running;
using WebRtcIms.Turn.Tests.Settings;

namespace WebRtcIms.Turn.Tests.Delivery;

/// <summary>A composed server that fetches its keys from a <see cref="KeyServer"/>, on a clock that the test moves.</summary>
internal sealed class DeliveryFixture : IAsyncDisposable
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(20);

    private readonly KeyFetcher _delivery;

    private DeliveryFixture(KeyServer waf, ComposedServer turn, FakeRedis? redis)
    {
        (Waf, Turn, Redis) = (waf, turn, redis);
        _delivery = turn.Get<KeyFetcher>();
    }

    public KeyServer Waf { get; }

    public ComposedServer Turn { get; }

    public FakeRedis? Redis { get; }

    /// <summary>Log records of the delivery and of the keys.</summary>
    public IReadOnlyList<string> Logs => [.. Turn.Logs.Records.Where(record =>
        record.Contains(typeof(KeyFetcher).FullName!, StringComparison.Ordinal)
        || record.Contains(typeof(KeyReload).FullName!, StringComparison.Ordinal))];

    /// <summary>Starts the TURN server, which has not fetched yet. A setting without a value is left out.</summary>
    public static async Task<DeliveryFixture> CreateAsync(
        FakeRedis? redis, IReadOnlyList<LongTermKey> keys, params (string Name, string? Value)[] settings)
    {
        var waf = await KeyServer.StartAsync([.. keys]);
        var values = waf.SettingsOf("Turn").ToDictionary(setting => setting.Name, string? (setting) => setting.Value);
        foreach (var (name, value) in settings) values[name] = value;
        var turn = await ComposedServer.StartAsync(
            redis, [.. values.Where(setting => setting.Value is not null).Select(setting => (setting.Key, setting.Value!))]);
        return new DeliveryFixture(waf, turn, redis);
    }

    /// <summary>Starts the TURN server, which then has the keys and waits for the interval.</summary>
    public static async Task<DeliveryFixture> StartAsync(params LongTermKey[] keys)
    {
        var fixture = await CreateAsync(new FakeRedis(), keys);
        await fixture.StartDeliveryAsync();
        await fixture.UntilWaitingAsync(Interval, 1);
        return fixture;
    }

    public Task StartDeliveryAsync() => _delivery.StartAsync(CancellationToken.None);

    public Task StopDeliveryAsync() => _delivery.StopAsync(CancellationToken.None);

    /// <summary>Moves the clock to the next poll, and returns when that has ended.</summary>
    public async Task PollAsync()
    {
        var polls = Turn.Time.Timers(Interval);
        Turn.Time.Advance(Interval);
        await UntilWaitingAsync(Interval, polls + 1);
    }

    /// <summary>Returns when the delivery has begun to wait this many times.</summary>
    public Task UntilWaitingAsync(TimeSpan interval, int times) => Eventually.IsTrueAsync(() => Turn.Time.Timers(interval) >= times);

    public Task<StunError> AllocateAsync(TokenKey key) => Turn.AllocateErrorAsync(Turn.NewClient(key.Issue()));

    /// <summary>The health check "keys".</summary>
    public async Task<HealthReportEntry> HealthAsync() =>
        (await Turn.Get<HealthCheckService>().CheckHealthAsync(check => check.Name == "keys")).Entries["keys"];

    public LongTermKey Live(TokenKey key, TimeSpan? lifetime = null) =>
        key.Delivered(Turn.Time.GetUtcNow() + (lifetime ?? TimeSpan.FromHours(1)));

    public async ValueTask DisposeAsync()
    {
        await StopDeliveryAsync();
        await Turn.DisposeAsync();
        await Waf.DisposeAsync();
    }
}
