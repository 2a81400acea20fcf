using System.Diagnostics;
using System.Diagnostics.Metrics;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.Wwsf;

/// <summary>Spans of the source <c>WebRtcIms.Wwsf</c>: the steps of figure X.5.3.2-1 that the WWSF carries out.</summary>
internal static class WwsfTracing
{
    private static readonly ActivitySource Source = ServiceTelemetry.Source("Wwsf");

    public static Activity? StartStep(int step, string name)
    {
        var activity = Start(name);
        activity?.SetTag(ServiceTelemetry.ImsStep, step);
        return activity;
    }

    /// <summary>A span beside the figure's steps.</summary>
    public static Activity? Start(string name) => Source.StartActivity(name);

    /// <summary>Marks the step as failed; <paramref name="code"/> is the code of the problem that the page is told.</summary>
    public static void Fail(this Activity? activity, string code)
    {
        activity?.SetTag("error.type", code);
        activity?.SetStatus(ActivityStatusCode.Error);
    }
}

/// <summary>Counters of the meter <c>WebRtcIms.Wwsf</c>. An outcome is <c>ok</c> or the code of a problem.</summary>
internal sealed class WwsfMetrics
{
    private readonly Counter<long> _turnTokens;
    private readonly Counter<long> _imsTokens;
    private readonly Counter<long> _sessions;

    public WwsfMetrics(IMeterFactory factory)
    {
        var meter = factory.Create("WebRtcIms.Wwsf");
        _turnTokens = meter.CreateCounter<long>("wwsf.turn_tokens", description: "Requests for a TURN token, by outcome");
        _imsTokens = meter.CreateCounter<long>("wwsf.ims_tokens", description: "Requests for a registration token, by outcome");
        _sessions = meter.CreateCounter<long>("wwsf.sessions", description: "Sessions asked for, by kind (user, passkey, external, anonymous) and outcome");
    }

    public void CountTurnToken(string outcome) => _turnTokens.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    public void CountImsToken(string outcome) => _imsTokens.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    public void CountSession(string kind, string outcome) => _sessions.Add(
        1, new KeyValuePair<string, object?>("kind", kind), new KeyValuePair<string, object?>("outcome", outcome));
}

/// <summary>Endpoint metadata: how the outcome of a request is counted.</summary>
internal sealed record Counted(Action<WwsfMetrics, string> Count);
