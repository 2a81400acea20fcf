using WebRtcIms.FlowView.Store;

namespace WebRtcIms.FlowView.Calls;

internal enum CallKind
{
    /// <summary>The page calls itself through the relay.</summary>
    Echo,

    Person,

    DemoLine,

    Registration,

    /// <summary>A TURN token or an allocation without a call, such as a check of the connection or a test tool.</summary>
    RelayOnly,

    /// <summary>Sign-in, sign-out, passkeys, and SIP outside of a call.</summary>
    Signalling,

    /// <summary>Everything else: static files, polls, health checks, background work.</summary>
    Other,
}

internal enum CallOutcome
{
    Worked,

    Failed,

    /// <summary>The user ended it before it was set up.</summary>
    Cancelled,

    /// <summary>The page has not reported the end of the set-up yet.</summary>
    InProgress,
}

/// <summary>What a trace is to a person: which kind of call, between whom, and what came of it.</summary>
/// <param name="Kind">The kind of call.</param>
/// <param name="Outcome">The result of the call as a whole: a call can work although a span in it failed.</param>
/// <param name="Who">Pseudonyms in order, the caller first: <c>guest 3f0a…</c> or <c>user 91bc…</c>.</param>
/// <param name="Cause">The failed span that started last: outer spans fail because of it. Null when no span failed.</param>
/// <param name="FailedStep">The step of the figure in which the cause lies; empty for none.</param>
/// <param name="Steps">The steps of figure X.5.3.2-1 that the trace has.</param>
/// <param name="SetUp">The caller's page from the click until media flows or the call fails. Null while it is not reported, and for other
/// traces.</param>
/// <param name="Media">The caller's page from the set-up to the end of the call, with its packets. Null before the end.</param>
internal sealed record Call(
    CallKind Kind, CallOutcome Outcome, IReadOnlyList<string> Who, Span? Cause, string FailedStep, IReadOnlyList<string> Steps, Span? SetUp,
    Span? Media)
{
    private const string SetUpName = "set up call";
    private const string InCall = "in call";
    private const string Invite = "SIP INVITE";

    private static readonly HashSet<string> OfRegistration =
        ["register", "request registration token", "registration token issue", "SIP REGISTER"];

    /// <summary>Decides by the names and attributes that docs/telemetry.md lists.</summary>
    public static Call Of(Trace trace)
    {
        var spans = trace.InOrder();
        var kind = KindOf(spans);
        // The caller's page has the root. The callee's hangs under the INVITE that the eP-CSCF sent it.
        var setUp = spans.Where(span => span.Name == SetUpName).MinBy(span => span.ParentId != 0);
        var media = spans.FirstOrDefault(span => span.Name == InCall && span.ParentId == setUp?.SpanId);
        var cause = spans.LastOrDefault(span => Failed(span) && !IsOutdone(span, trace));
        var failedStep = Upwards(cause, trace).Select(Step).FirstOrDefault(step => step.Length > 0) ?? "";
        var outcome = OutcomeOf(kind, spans, setUp, media, trace.Root);
        return new Call(kind, outcome, WhoIn(spans), cause, failedStep, StepsIn(spans), setUp, media);
    }

    private static CallKind KindOf(IReadOnlyList<Span> spans)
    {
        if (spans.Any(span => span.Name is SetUpName or Invite || (IsOfPage(span) && Step(span).Length > 0)))
        {
            return spans.Select(span => Text(span, "ims.call.kind")).FirstOrDefault(kind => kind.Length > 0) switch
            {
                "echo" => CallKind.Echo,
                "demo_line" => CallKind.DemoLine,
                "person" => CallKind.Person,
                _ => spans.Any(span => span.Name == Invite) ? CallKind.Person : CallKind.Echo,
            };
        }

        if (spans.Any(span => OfRegistration.Contains(span.Name) || Path(span).EndsWith("/ims-token", StringComparison.Ordinal)))
            return CallKind.Registration;
        if (spans.Any(span => Step(span) is "2" or "3" or "4" or "5" or "6" or "7" or "8")) return CallKind.RelayOnly;
        return spans.Any(IsSignalling) ? CallKind.Signalling : CallKind.Other;
    }

    // A poll is a GET, and so is the return from an external log-in.
    private static bool IsSignalling(Span span) =>
        Text(span, "sip.method").Length > 0
        || Path(span) == "/api/session/external/callback"
        || (span.Kind == SpanKind.Server && Text(span, "http.request.method") is "POST" or "PUT" or "DELETE"
            && (Path(span).StartsWith("/api/", StringComparison.Ordinal) || Path(span).StartsWith("/oauth2/", StringComparison.Ordinal)));

    /// <summary>The packets that the caller's page has received, and those that it missed; null if it did not report them.</summary>
    public (long Received, long Lost)? Packets =>
        Number(Media, "ims.media.packets_received") is { } received && Number(Media, "ims.media.packets_lost") is { } lost
            ? (received, lost) : null;

    private static CallOutcome OutcomeOf(CallKind kind, IReadOnlyList<Span> spans, Span? setUp, Span? media, Span root)
    {
        switch (kind)
        {
            case CallKind.Echo or CallKind.Person or CallKind.DemoLine when setUp is not null:
                if (media is not null && !setUp.IsError) return ResultOf(media);
                return setUp.IsError
                    || spans.LastOrDefault(span => span.Name == "renew credentials") is not { IsError: true } lost
                    ? ResultOf(setUp) : ResultOf(lost);
            case CallKind.Echo or CallKind.Person or CallKind.DemoLine:
                return !spans.Any(IsOfPage)
                    && spans.FirstOrDefault(span => span.Name == Invite) is { } invite ? ResultOf(invite) : CallOutcome.InProgress;
            case CallKind.RelayOnly when spans.FirstOrDefault(span => span.Name == "turn allocate" && Failed(span)) is { } refused:
                return ResultOf(refused);
            // A tool's first request may have worked: the last step tells how far it came.
            case CallKind.RelayOnly when spans.LastOrDefault(span => Step(span).Length > 0) is { } last:
                return ResultOf(last);
            case CallKind.Registration when spans.LastOrDefault(span => span.Name is "register" or "SIP REGISTER") is { } register:
                return ResultOf(spans.FirstOrDefault(span => span.Name == "register") ?? register);
            default:
                return ResultOf(root);
        }
    }

    private static CallOutcome ResultOf(Span span) =>
        !Failed(span) ? CallOutcome.Worked
        : Text(span, "error.type") == "cancelled" || Text(span, "sip.status_code") == "487" ? CallOutcome.Cancelled
        : CallOutcome.Failed;

    private static List<string> WhoIn(IReadOnlyList<Span> spans) =>
    [
        .. from span in spans
           let pseudonym = Text(span, "enduser.pseudo.id")
           where pseudonym.Length > 0
           select $"{(Text(span, "wwsf.session.kind") == "anonymous" ? "guest" : "user")} {pseudonym}" into person
           group person by person into same
           select same.Key,
    ];

    private static List<string> StepsIn(IReadOnlyList<Span> spans) =>
        [.. spans.Select(Step).Where(step => step.Length > 0).Distinct().Order(StringComparer.Ordinal)];

    private static bool Failed(Span span) => span.IsError || Status(span) >= 400;

    /// <summary>If another device of the callee answers, the 480 or 487 of this one is not a failure (RFC 3261 §16.7).</summary>
    private static bool IsOutdone(Span span, Trace trace) =>
        Text(span, "sip.method").Length > 0
        && Upwards(span, trace).Any(above =>
            above is { Kind: SpanKind.Client, Source.Service: "ep-cscf" } && trace.Find(above.ParentId) is { } call
                && Status(call) is >= 200 and < 300);

    /// <summary>The span and its ancestors, each once: a sender may have made a circle of them.</summary>
    private static IEnumerable<Span> Upwards(Span? span, Trace trace)
    {
        HashSet<ulong> passed = [];
        for (var above = span; above is not null && passed.Add(above.SpanId); above = trace.Find(above.ParentId)) yield return above;
    }

    private static bool IsOfPage(Span span) => span.Source.Service == "wic";

    private static string Step(Span span) => Text(span, "ims.step");

    private static string Path(Span span) => Text(span, "url.path");

    private static long? Number(Span? span, string key) =>
        Array.Find(span?.Attributes ?? [], attribute => attribute.Key == key).Value as long?;

    private static long Status(Span span) =>
        Array.Find(span.Attributes, attribute => attribute.Key is "http.response.status_code" or "sip.status_code").Value as long? ?? 0;

    private static string Text(Span span, string key) =>
        AttributeText.Of(Array.Find(span.Attributes, attribute => attribute.Key == key).Value);
}
