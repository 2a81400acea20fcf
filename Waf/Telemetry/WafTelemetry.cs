using System.Diagnostics;
using System.Diagnostics.Metrics;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Waf.Telemetry;

/// <summary>Spans and counters of the WAF. Never a token, a key or a secret.</summary>
internal sealed class WafTelemetry
{
    private static readonly ActivitySource Source = ServiceTelemetry.Source("Waf");

    private readonly Counter<long> _issued;
    private readonly Counter<long> _registrationTokens;
    private readonly Counter<long> _rejected;
    private readonly Counter<long> _revoked;
    private readonly Counter<long> _overloads;
    private readonly Counter<long> _auditLost;
    private readonly Histogram<double> _duration;

    private readonly Counter<long> _rotations;
    private readonly Meter _meter;

    public WafTelemetry(IMeterFactory factory)
    {
        var meter = _meter = factory.Create("WebRtcIms.Waf");
        _issued = meter.CreateCounter<long>("waf.tokens.issued", description: "TURN tokens issued, by client, audience and algorithm");
        _registrationTokens = meter.CreateCounter<long>(
            "waf.registration_tokens.issued", description: "IMS registration tokens issued, by client");
        _duration = meter.CreateHistogram<double>(
            "waf.token.issue.duration", "s", "Duration of making a token and of writing its grant to Redis",
            advice: new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
            });
        _rejected = meter.CreateCounter<long>(
            "waf.token.requests.rejected", description: "Requests of clients rejected, by OAuth error");
        _revoked = meter.CreateCounter<long>(
            "waf.revocations", description: "Revocations sent to the TURN servers, by kind");
        _overloads = meter.CreateCounter<long>(
            "waf.secrets.refused", description: "Requests refused because too many secrets were hashed at the time");
        _auditLost = meter.CreateCounter<long>("waf.audit.lost", description: "Rows of the audit that the store did not take in time");
        _rotations = meter.CreateCounter<long>(
            "waf.key.rotations", description: "Keys that became current, by TURN server and actor, at the replica that wrote it");
    }

    public static Activity? StartTokenIssue()
    {
        var activity = Source.StartActivity("token issue");
        activity?.SetTag(ServiceTelemetry.ImsStep, 5);
        return activity;
    }

    public void Issued(Activity? activity, string clientId, string audience, string kid, string macAlgorithm, TimeSpan lifetime)
    {
        activity?.SetTag("oauth.client_id", clientId);
        activity?.SetTag("oauth.audience", audience);
        activity?.SetTag("turn.kid", kid);
        activity?.SetTag("turn.mac_algorithm", macAlgorithm);
        activity?.SetTag("turn.lifetime", (long)lifetime.TotalSeconds);
        _issued.Add(
            1,
            new KeyValuePair<string, object?>("oauth.client_id", clientId),
            new KeyValuePair<string, object?>("oauth.audience", audience),
            new KeyValuePair<string, object?>("turn.mac_algorithm", macAlgorithm));
    }

    /// <param name="token">The kind: <c>turn</c> or <c>registration</c>.</param>
    /// <param name="duration">The time that it took.</param>
    public void IssueLasted(string token, TimeSpan duration) =>
        _duration.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("token", token));

    public static Activity? StartRegistrationTokenIssue(string clientId)
    {
        var activity = Source.StartActivity("registration token issue");
        activity?.SetTag("oauth.client_id", clientId);
        return activity;
    }

    public void RegistrationTokenIssued(string clientId) =>
        _registrationTokens.Add(1, new KeyValuePair<string, object?>("oauth.client_id", clientId));

    public void Rejected(string error) => _rejected.Add(1, new KeyValuePair<string, object?>("error.type", error));

    public void Overloaded() => _overloads.Add(1);

    public void AuditLost(int rows) => _auditLost.Add(rows);

    public void Revoked(string kind) => _revoked.Add(1, new KeyValuePair<string, object?>("kind", kind));

    public void Rotated(string server, string actor) => _rotations.Add(
        1, new KeyValuePair<string, object?>("oauth.audience", server), new KeyValuePair<string, object?>("actor", actor));

    /// <param name="keys">The server and the state of each key.</param>
    public void ObserveKeys<TState>(Func<IEnumerable<(string Server, TState State)>> keys)
        where TState : struct, Enum => _meter.CreateObservableGauge(
        "waf.keys",
        () => keys().GroupBy(key => key).Select(group => new Measurement<long>(
            group.LongCount(),
            new("oauth.audience", group.Key.Server),
            new("state", group.Key.State.ToString().ToLowerInvariant()))),
        description: "Long-term keys, by TURN server and state");

    /// <param name="uses">The server, and the uses of its current key.</param>
    public void ObserveKeyUses(Func<IEnumerable<(string Server, long Uses)>> uses) => _meter.CreateObservableGauge(
        "waf.key.uses",
        () => uses().Select(key => new Measurement<long>(key.Uses, new KeyValuePair<string, object?>("oauth.audience", key.Server))),
        description: "Tokens that this replica encrypted under the current long-term key, by TURN server");
}
