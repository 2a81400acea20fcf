using System.Diagnostics.Metrics;
using WebRtcIms.ServiceDefaults.KeyDelivery;
using WebRtcIms.Turn.Admission;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Hosting;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;

namespace WebRtcIms.Turn;

/// <summary>The instruments whose values other parts of the server keep: they are read when metrics are collected.</summary>
internal static class TurnTelemetry
{
    public static void ObserveTurn(this IServiceProvider services)
    {
        var metrics = services.GetRequiredService<TurnMetrics>();
        var hosts = services.GetRequiredService<IReadOnlyList<EngineHost>>();
        metrics.ObserveAllocations(() => hosts.Sum(host => host.AllocationCount));
        metrics.ObserveQuotas(services.GetRequiredService<AllocationQuotas>());
        metrics.ObserveClockSkew(services.GetRequiredService<RequestAuthenticator>());
        metrics.ObserveUnknownKeys(services.GetRequiredService<RequestAuthenticator>());
        metrics.ObserveKeys(services.GetRequiredService<KeyReload>().Ages);
        if (services.GetService<KeyFetcher>() is { } delivery) metrics.ObserveDelivery(delivery);
        if (services.GetService<TokenCache>() is { } tokens) metrics.ObserveBreaker(tokens.Breaker);
    }

    public static void ObserveAllocations(this TurnMetrics metrics, Func<int> count) =>
        metrics.Meter.CreateObservableGauge("turn.allocations", count, description: "Live allocations");

    public static void ObserveQuotas(this TurnMetrics metrics, AllocationQuotas quotas)
    {
        metrics.Meter.CreateObservableGauge(
            "turn.quota.use", () => quotas.Use().Select(use => new Measurement<double>(use.Use, Tag("quota", use.Quota.ToString()))),
            description: "Highest use of a quota; 1 is all of it");
        metrics.Meter.CreateObservableCounter(
            "turn.quota.refusals", () =>
                Enum.GetValues<Quota>().Select(quota => new Measurement<long>(quotas.Refusals(quota), Tag("quota", quota.ToString()))),
            description: "Allocates refused, by the quota that was used up");
    }

    public static void ObserveBreaker(this TurnMetrics metrics, CircuitBreaker breaker) => metrics.Meter.CreateObservableGauge(
        "turn.cache.breaker", () => (int)breaker.State, description: "Whether Redis is asked: 0 yes, 1 one Allocate tries, 2 no");

    public static void ObserveClockSkew(this TurnMetrics metrics, RequestAuthenticator authenticator) =>
        metrics.Meter.CreateObservableCounter<long>(
        "turn.clock_skew_suspected",
        () => [new(authenticator.SkewSuspected.Ahead, Tag("token", "ahead")),
            new(authenticator.SkewSuspected.Behind, Tag("token", "behind"))],
        description: "Authentic tokens from the future (ahead), or ended within the last minute (behind)");

    public static void ObserveUnknownKeys(this TurnMetrics metrics, RequestAuthenticator authenticator) =>
        metrics.Meter.CreateObservableCounter(
        "turn.unknown_keys", () => authenticator.UnknownKeys, description: "Requests with a kid that this node does not have");

    public static void ObserveKeys(this TurnMetrics metrics, Func<IEnumerable<KeyAge>> keys)
    {
        metrics.Meter.CreateObservableGauge(
            "turn.key.age", () =>
                keys().Select(key => Of(key.Age, key.Kid)), "s", "For how long this node has had a long-term key, by kid");
        metrics.Meter.CreateObservableGauge(
            "turn.key.remaining", () =>
                // A delivered key ends often, and the WAF replaces it.
                keys().Where(key => key.Remaining is not null && !key.IsDelivered).Select(key => Of(key.Remaining!.Value, key.Kid)), "s",
            "Until a long-term key of the settings dies (NotAfter), by kid; negative afterwards");

        static Measurement<double> Of(TimeSpan time, string kid) => new(time.TotalSeconds, Tag("turn.kid", kid));
    }

    public static void ObserveDelivery(this TurnMetrics metrics, KeyFetcher delivery) => metrics.Meter.CreateObservableGauge(
        "turn.key.delivery.age", () => delivery.Age.TotalSeconds, "s", "Since the WAF has delivered the long-term keys, or since the start");

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);
}
