using WebRtcIms.FlowView.Calls;
using WebRtcIms.FlowView.Store;
using Attribute = WebRtcIms.FlowView.Store.Attribute;

namespace WebRtcIms.FlowView.Tests;

/// <summary>What a trace is to a person, from spans as the parts send them.</summary>
public sealed class CallTests
{
    private const ulong Millisecond = 1_000_000;

    private ulong _time = Samples.Start;
    private ulong _ids = 100;

    [Fact]
    public void PageThatCallsTheEcho_IsAnEchoCall() =>
        Assert.Equal(CallKind.Echo, Of([.. Steps("echo"), SetUp("echo")]).Kind);

    [Fact]
    public void PageThatCallsAPerson_IsACallToAPerson() =>
        Assert.Equal(CallKind.Person, Of([.. Steps("person"), Sip("INVITE", 200), SetUp("person")]).Kind);

    [Fact]
    public void PageThatCallsTheDemoLine_IsACallToTheDemoLine() =>
        Assert.Equal(CallKind.DemoLine, Of([.. Steps("demo_line"), Sip("INVITE", 200), SetUp("demo_line")]).Kind);

    [Fact]
    public void CallToAPersonThatFailedBeforeTheInvite_IsACallToAPerson() =>
        Assert.Equal(CallKind.Person,
            Of(Page("request TURN token", 2, "person", error: "waf_unavailable"), SetUp("person", "waf_unavailable")).Kind);

    [Fact]
    public void CallWithoutItsKind_IsDecidedByTheInvite()
    {
        Assert.Equal(CallKind.Echo, Of(SetUp()).Kind);
        Assert.Equal(CallKind.Person, Of(SetUp(), Sip("INVITE", 200)).Kind);
    }

    [Fact]
    public void InviteOfAnotherSipClient_IsACallToAPerson() =>
        Assert.Equal((CallKind.Person, CallOutcome.Worked), Result(Sip("INVITE", 200)));

    [Theory]
    [InlineData("wic", "register")]
    [InlineData("ep-cscf", "SIP REGISTER")]
    [InlineData("waf", "registration token issue")]
    public void RegistrationAtAnyPart_IsARegistration(string service, string name) =>
        Assert.Equal(CallKind.Registration, Of(Span(service, name)).Kind);

    [Fact]
    public void RequestForARegistrationTokenThatWasRefused_IsAFailedRegistration() =>
        Assert.Equal((CallKind.Registration, CallOutcome.Failed), Result(Http("wwsf", "POST", "/api/ims-token", 503)));

    [Fact]
    public void StepsWithoutACall_AreRelayOnly() =>
        Assert.Equal((CallKind.RelayOnly, CallOutcome.Worked),
            Result(Http("wwsf", "POST", "/api/turn-token", 200), Span("waf", "token issue", ("ims.step", 5L)), Allocate()));

    [Fact]
    public void CheckBeforeACall_IsRelayOnly() =>
        Assert.Equal(CallKind.RelayOnly, Of(Span("wic", "check connection"), Span("wwsf", "check session", ("ims.step", 3L))).Kind);

    [Theory]
    [InlineData("POST", "/api/session/login")]
    [InlineData("POST", "/api/session/anonymous")]
    [InlineData("DELETE", "/api/session")]
    [InlineData("POST", "/api/passkeys")]
    [InlineData("GET", "/api/session/external/callback")]
    [InlineData("POST", "/oauth2/register")]
    public void RequestThatChangesASession_IsSignalling(string method, string path) =>
        Assert.Equal(CallKind.Signalling, Of(Http("wwsf", method, path, 200)).Kind);

    [Fact]
    public void SipOutsideOfACall_IsSignalling() => Assert.Equal(CallKind.Signalling, Of(Sip("OPTIONS", 200)).Kind);

    [Theory]
    [InlineData("GET", "/api/directory")]
    [InlineData("GET", "/api/session")]
    [InlineData("GET", "/health")]
    [InlineData("GET", "/assets/index.js")]
    public void PollOrFile_IsOther(string method, string path) => Assert.Equal(CallKind.Other, Of(Http("wic-web", method, path, 200)).Kind);

    [Fact]
    public void RedisCommandByItself_IsOther() =>
        Assert.Equal(CallKind.Other, Of(Span("ep-cscf", "HGET", ("db.system.name", "redis"))).Kind);

    [Fact]
    public void SetUpThatEndedWell_Worked() => Assert.Equal(CallOutcome.Worked, Of([.. Steps("echo"), SetUp("echo")]).Outcome);

    [Fact]
    public void SetUpThatEndedWithAnError_Failed() => Assert.Equal(CallOutcome.Failed, Of(SetUp("echo", "turn_unreachable")).Outcome);

    [Fact]
    public void SetUpThatTheUserEnded_IsCancelled() => Assert.Equal(CallOutcome.Cancelled, Of(SetUp("person", "cancelled")).Outcome);

    [Fact]
    public void SetUpWithoutItsEnd_IsInProgress() => Assert.Equal(CallOutcome.InProgress, Of([.. Steps("echo")]).Outcome);

    [Fact]
    public void CalleesPage_DoesNotDecideForTheCaller()
    {
        var callee = SetUp(error: "cancelled") with { ParentId = 7 };
        var caller = SetUp("person");

        var call = Of(callee, caller);

        Assert.Equal((CallOutcome.Worked, caller.SpanId), (call.Outcome, call.SetUp?.SpanId));
    }

    [Fact]
    public void RenewalThatFailedLast_FailsTheCall()
    {
        Assert.Equal(CallOutcome.Failed, Of(SetUp("echo"), Page("renew credentials", 0, "echo", "waf_unavailable")).Outcome);
        Assert.Equal(CallOutcome.Worked,
            Of(SetUp("echo"), Page("renew credentials", 0, "echo", "waf_unavailable"), Page("renew credentials", 0, "echo")).Outcome);
    }

    [Fact]
    public void CallThatWasDropped_Failed_AndTheCalleesEndDoesNotDecide()
    {
        var setUp = SetUp("person");
        var inCall = Page("in call", 0, "person", "connection_lost") with { ParentId = setUp.SpanId };
        var ofCallee = Page("in call", 0, "", "connection_lost_there") with { ParentId = 7 };

        var dropped = Of(setUp, inCall);
        Assert.Equal((CallOutcome.Failed, inCall.SpanId), (dropped.Outcome, dropped.Cause?.SpanId));
        Assert.Equal(CallOutcome.Worked, Of(setUp, inCall with { IsError = false, Attributes = [] }, ofCallee).Outcome);
        Assert.Equal(CallOutcome.Worked, Of(setUp, ofCallee).Outcome);
    }

    [Fact]
    public void Packets_AreThoseOfTheCaller()
    {
        var setUp = SetUp("echo");
        var inCall = Span("wic", "in call", ("ims.media.packets_received", 500L), ("ims.media.packets_lost", 3L)) with
        { ParentId = setUp.SpanId };

        Assert.Equal((500, 3), Of(setUp, inCall).Packets);
        Assert.Null(Of(setUp).Packets);
        Assert.Null(Of(setUp, inCall with { Attributes = [] }).Packets);
    }

    [Fact]
    public void PartThatFailedInACallThatWorked_IsTheCauseOfNoFailure()
    {
        var call = Of(SetUp("echo"), Span("waf", "SET") with { IsError = true });

        Assert.Equal((CallOutcome.Worked, "SET"), (call.Outcome, call.Cause?.Name));
    }

    [Theory]
    [InlineData(486, CallOutcome.Failed)]
    [InlineData(487, CallOutcome.Cancelled)]
    [InlineData(200, CallOutcome.Worked)]
    public void InviteOfAnotherSipClient_HasTheOutcomeOfItsAnswer(int status, object outcome) =>
        Assert.Equal(outcome, Of(Sip("INVITE", status)).Outcome);

    [Theory]
    [InlineData(null, CallOutcome.Worked)]
    [InlineData("ims_unavailable", CallOutcome.Failed)]
    [InlineData("cancelled", CallOutcome.Cancelled)]
    public void Registration_HasTheOutcomeOfThePage(string? error, object outcome) =>
        Assert.Equal(outcome, Of(Page("register", 0, "", error), Sip("REGISTER", 200)).Outcome);

    [Fact]
    public void AllocateThatTurnRefused_FailsRelayOnly() =>
        Assert.Equal((CallKind.RelayOnly, CallOutcome.Failed), Result(Allocate(), Allocate() with { IsError = true }));

    [Fact]
    public void TokenThatTheWafDidNotGive_FailsRelayOnly_AlthoughTheFirstRequestWorked() => Assert.Equal(
        (CallKind.RelayOnly, CallOutcome.Failed),
        Result(Http("wwsf", "GET", "/api/session", 200), Span("wwsf", "check session", ("ims.step", 3L)),
        Span("wwsf", "request TURN token", ("ims.step", 4L)) with { IsError = true }));

    [Fact]
    public void WrongPassword_FailsTheSignIn() =>
        Assert.Equal((CallKind.Signalling, CallOutcome.Failed), Result(Http("wwsf", "POST", "/api/session/login", 401)));

    [Fact]
    public void Cause_IsTheFailedSpanThatStartedLast_InTheStepAboveIt()
    {
        var step4 = Span("wwsf", "request TURN token", ("ims.step", 4L)) with { IsError = true };
        var request = Http("wwsf", "POST", "/oauth2/token", 0) with { ParentId = step4.SpanId, IsError = true };

        var call = Of(SetUp("echo", "waf_unavailable") with { Start = Samples.Start }, step4, request);

        Assert.Equal((request.SpanId, "4"), (call.Cause?.SpanId, call.FailedStep));
    }

    [Fact]
    public void DeviceThatAnotherOneOutdid_IsNoCause()
    {
        var invite = Sip("INVITE", 200);
        var branch = Sip("INVITE", 487) with { ParentId = invite.SpanId, Kind = SpanKind.Client };

        Assert.Null(Of(SetUp("person"), invite, branch).Cause);
    }

    [Fact]
    public void ParentsInACircle_AreSurvived()
    {
        var (one, other) = (Sip("INVITE", 480), Sip("INVITE", 480));

        Assert.Equal(CallOutcome.Failed, Of(one with { ParentId = other.SpanId }, other with { ParentId = one.SpanId }).Outcome);
    }

    [Fact]
    public void People_AreNamedOnceInOrder_AsTheSpansHaveThem()
    {
        var call = Of(Check("user", "91bc"), Check("anonymous", "3f0a"), Check("user", "91bc"), SetUp("person"));

        Assert.Equal(["user 91bc", "guest 3f0a"], call.Who);

        Span Check(string kind, string pseudonym) =>
            Span("wwsf", "check session", ("ims.step", 3L), ("wwsf.session.kind", kind), ("enduser.pseudo.id", pseudonym));
    }

    [Fact]
    public void Steps_AreThoseOfAllParts() =>
        Assert.Equal(["1", "2", "5", "7", "8"], Of([.. Steps("echo"), Span("waf", "token issue", ("ims.step", 5L)), Allocate()]).Steps);

    private static Call Of(params Span[] spans)
    {
        var trace = new Trace(1, 0, 0);
        foreach (var span in spans) trace.Put(span);
        return Call.Of(trace);
    }

    private static (CallKind Kind, CallOutcome Outcome) Result(params Span[] spans) => (Of(spans).Kind, Of(spans).Outcome);

    private Span SetUp(string kind = "", string? error = null) => Page("set up call", 0, kind, error);

    private IEnumerable<Span> Steps(string kind) =>
    [
        Page("click call", 1, kind), Page("request TURN token", 2, kind), Page("configure peer connection", 7, kind),
            Page("allocate relay", 8, kind),
    ];

    private Span Page(string name, int step, string kind, string? error = null)
    {
        List<(string, object)> attributes = [];
        if (step > 0) attributes.Add(("ims.step", (long)step));
        if (kind.Length > 0) attributes.Add(("ims.call.kind", kind));
        if (error is not null) attributes.Add(("error.type", error));
        return Span("wic", name, [.. attributes]) with { Kind = SpanKind.Internal, IsError = error is not null };
    }

    private Span Sip(string method, int status) =>
        Span("ep-cscf", $"SIP {method}", ("sip.method", method), ("sip.status_code", (long)status));

    private Span Http(string service, string method, string path, int status) =>
        Span(service, method, ("http.request.method", method), ("url.path", path), ("http.response.status_code", (long)status));

    private Span Allocate() => Span("turn", "turn allocate", ("ims.step", 8L));

    /// <summary>Each starts after the one before.</summary>
    private Span Span(string service, string name, params (string Key, object Value)[] attributes)
    {
        _time += Millisecond;
        return new Span(
            1, ++_ids, 0, name, SpanKind.Server, _time, _time + Millisecond, new Source(service, "", []), "",
            [.. attributes.Select(attribute => new Attribute(attribute.Key, attribute.Value))], [], [], IsError: false, "");
    }
}
