using System.Diagnostics.Metrics;
using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Telemetry;

/// <summary>
/// Spans and metrics of the eP-CSCF. Each SIP transaction has a span, named by its method. The header field <c>Traceparent</c> (as in W3C
/// Trace Context) joins the spans of both pages and of this server. Telemetry never has an identity, a token or a body.
/// </summary>
internal sealed class EpCscfTelemetry
{
    private static readonly ActivitySource Source = ServiceTelemetry.Source("EpCscf");

    private static readonly InstrumentAdvice<double> Seconds =
        new() { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] };

    private readonly Counter<long> _requests;
    private readonly Counter<long> _dropped;
    private readonly Counter<long> _tokens;
    private readonly Counter<long> _callsEnded;
    private readonly UpDownCounter<long> _connections;
    private readonly UpDownCounter<long> _registered;
    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _setUp;

    private readonly TraceMembers _traces;

    public EpCscfTelemetry(IMeterFactory factory, TraceMembers traces)
    {
        _traces = traces;
        var meter = factory.Create("WebRtcIms.EpCscf");
        _requests =
            meter.CreateCounter<long>("epcscf.requests", description: "SIP requests from WICs, by method and status of the final response");
        _dropped = meter.CreateCounter<long>("epcscf.dropped", description: "Messages that could not be used or matched, by reason");
        _tokens = meter.CreateCounter<long>("epcscf.tokens", description: "Registration tokens checked, by result");
        _callsEnded = meter.CreateCounter<long>("epcscf.calls.ended", description: "Calls that were answered and have ended, by reason");
        _duration = meter.CreateHistogram<double>(
            "epcscf.request.duration", "s",
            "From a request to its final answer, by method and status; of an INVITE with the time that people take", advice: Seconds);
        _setUp = meter.CreateHistogram<double>(
            "epcscf.call.setup.duration", "s", "From an INVITE to the first sign of the callee: ringing, or a final answer",
            advice: Seconds);
        _connections = meter.CreateUpDownCounter<long>("epcscf.connections", description: "WebSocket connections");
        _registered = meter.CreateUpDownCounter<long>("epcscf.registered", description: "Registered connections");
    }

    /// <summary>
    /// The span of a request that this server received. It is a child of the page's span that the request names if the page's session may
    /// write into that trace: it began the trace, or got it from this server. The page's sampled flag does not count. Otherwise it begins a
    /// trace of its own, with a link to that span.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="session">The session at the WWSF that the page has shown a token of; null if there is none.</param>
    public Activity? StartServer(SipRequest request, string? session)
    {
        if (!ActivityContext.TryParse(request.Headers.First(HeaderName.Traceparent), null, isRemote: true, out var named))
            return Start(request, ActivityKind.Server, default);
        if (session is not null && _traces.Admit(named.TraceId, session, mayJoin: false))
            return Start(request, ActivityKind.Server, new(named.TraceId, named.SpanId, ActivityTraceFlags.Recorded, isRemote: true));
        var activity = Start(request, ActivityKind.Server, default);
        activity?.AddLink(new ActivityLink(named));
        return activity;
    }

    /// <summary>The session gets the id of the current trace with a request, so it may write into the trace.</summary>
    public void ShareTrace(string session)
    {
        if (Activity.Current is { } current) _traces.Add(current.TraceId, session);
    }

    /// <summary>The span of a request that this server forwards.</summary>
    public static Activity? StartClient(SipRequest request, Activity? parent)
    {
        if (parent is null) return null;
        var activity = Start(request, ActivityKind.Client, parent.Context);
        if (activity is not null) request.Headers.Set(HeaderName.Traceparent, activity.Id!);
        return activity;
    }

    public static void End(Activity? activity, int statusCode)
    {
        activity?.SetTag("sip.status_code", statusCode);
        if (statusCode >= 500) activity?.SetStatus(ActivityStatusCode.Error);
        activity?.Dispose();
    }

    public void Answered(string method, int statusCode) => _requests.Add(1, TagsOf(method, statusCode));

    /// <summary>The final response to a request. Its span is the exemplar of the measurement.</summary>
    public void Answered(string method, int statusCode, TimeSpan took, Activity? span)
    {
        Answered(method, statusCode);
        Within(span, () => _duration.Record(took.TotalSeconds, TagsOf(method, statusCode)));
        End(span, statusCode);
    }

    /// <summary>The callee's device rings, or there is a final response.</summary>
    public void CallSetUp(int statusCode, TimeSpan took, Activity? span) =>
        Within(span, () => _setUp.Record(took.TotalSeconds, new KeyValuePair<string, object?>("sip.status_code", statusCode)));

    /// <summary>A BYE has ended a call.</summary>
    public void CallEnded(string reason, Activity? span)
    {
        span?.SetTag("sip.end_reason", reason);
        Within(span, () => _callsEnded.Add(1, new KeyValuePair<string, object?>("reason", reason)));
    }

    public void Dropped(string reason) => _dropped.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public void TokenChecked(string result) => _tokens.Add(1, new KeyValuePair<string, object?>("result", result));

    public void ConnectionsChanged(int difference) => _connections.Add(difference);

    public void RegisteredChanged(int difference) => _registered.Add(difference);

    private static TagList TagsOf(string method, int statusCode) =>
        new() { { "sip.method", Known(method) }, { "sip.status_code", statusCode } };

    /// <summary>Runs an action while the span is the current one.</summary>
    public static void Within(Activity? span, Action action)
    {
        var before = Activity.Current;
        Activity.Current = span;
        action();
        Activity.Current = before;
    }

    // A transaction outlives the method that starts it. Its span must not become the parent of later spans.
    private static Activity? Start(SipRequest request, ActivityKind kind, ActivityContext parent)
    {
        var before = Activity.Current;
        Activity.Current = null;
        var activity = Source.StartActivity($"SIP {Known(request.Method)}", kind, parent);
        Activity.Current = before;
        activity?.SetTag("sip.method", Known(request.Method));
        return activity;
    }

    // A client may invent methods. They must not become dimensions of a metric.
    private static string Known(string method) => Method.IsStandard(method) ? method : "other";
}
