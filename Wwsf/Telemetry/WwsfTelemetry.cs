using System.Diagnostics.Metrics;

using WebRtcIms.Wwsf.Problems;

namespace WebRtcIms.Wwsf.Telemetry;

/// <summary>
/// Spans and counters of the WWSF: the steps of figure X.5.3.2-1 that it carries out, and requests by outcome. An outcome is
/// <c>ok</c> or the code of a problem. Never a token, a key, a secret or a user name.
/// </summary>
internal sealed class WwsfTelemetry
{
    private static readonly ActivitySource Source = ServiceTelemetry.Source("Wwsf");

    private readonly Counter<long> _turnTokens;
    private readonly Counter<long> _imsTokens;
    private readonly Counter<long> _sessions;
    private readonly Counter<long> _reclaimed;

    public WwsfTelemetry(IMeterFactory factory)
    {
        var meter = factory.Create("WebRtcIms.Wwsf");
        _turnTokens = meter.CreateCounter<long>("wwsf.turn_tokens", description: "Requests for a TURN token, by outcome");
        _imsTokens = meter.CreateCounter<long>("wwsf.ims_tokens", description: "Requests for a registration token, by outcome");
        _reclaimed = meter.CreateCounter<long>(
            "wwsf.pool.reclaimed", description: "Identities that guests lost because they did not register");
        _sessions = meter.CreateCounter<long>(
            "wwsf.sessions", description: "Requests for a session, by kind (user, passkey, external, anonymous) and outcome");
    }

    /// <summary>A span for a step of the figure.</summary>
    public static Activity? StartStep(int step, string name)
    {
        var activity = Start(name);
        activity?.SetTag(ServiceTelemetry.ImsStep, step);
        return activity;
    }

    /// <summary>A span that is not a step of the figure.</summary>
    public static Activity? Start(string name) => Source.StartActivity(name);

    /// <summary>Marks the span as failed with the code of the problem that the page gets.</summary>
    public static void Fail(Activity? activity, string code)
    {
        activity?.SetTag("error.type", code);
        activity?.SetStatus(ActivityStatusCode.Error);
    }

    public void CountTurnToken(string outcome) => _turnTokens.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    public void CountImsToken(string outcome) => _imsTokens.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    public void CountReclaimed() => _reclaimed.Add(1);

    public void CountSession(string kind, string outcome) => _sessions.Add(
        1, new KeyValuePair<string, object?>("kind", kind), new KeyValuePair<string, object?>("outcome", outcome));
}

/// <summary>Endpoint metadata: how the outcome of a request is counted.</summary>
/// <param name="Count">Gets <c>ok</c> or the code of a problem.</param>
/// <param name="LogRefusal">Gets the endpoint's method and path, and the problem.</param>
internal sealed record Counted(Action<WwsfTelemetry, string> Count, Action<HttpContext, string, Problem>? LogRefusal = null);
