using Microsoft.Extensions.Time.Testing;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>Rules of the proxy at their boundaries: routes, loops, forks, identities and the responses that it makes itself.</summary>
public sealed class ProxyTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));
    private EpCscfApp _app = null!;
    private Wic _alice = null!;
    private Wic _bob = null!;

    public async ValueTask InitializeAsync()
    {
        _app = EpCscfApp.Start(_time, ("EpCscf:Subscribers:1:DisplayName", ""), ("EpCscf:Limits:CallsPerMinute", "60"));
        _alice = await _app.RegisterAsync("alice");
        _bob = await _app.RegisterAsync("bob");
    }

    public async ValueTask DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _app.DisposeAsync();
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("z9hG4bK1")]
    [InlineData("z9hG4bK0123456789abcdef")]
    public void BranchThatIsTooShort_NamesNoReplica(string? branch) => Assert.Null(Proxy.ReplicaOf(branch));

    [Fact]
    public void Branch_BeginsWithTheReplicaThatMadeIt() =>
        Assert.Equal("0123456789abcdef", Proxy.ReplicaOf(Via.MagicCookie + "0123456789abcdef" + "g"));

    [Fact]
    [Requirement("RFC3261-16.3")]
    public async Task Refusals_HaveTheReasonPhrasesOfTheStandard()
    {
        async Task AssertAnswerAsync(string line, string request) =>
            Assert.Equal($"SIP/2.0 {line}", (await _alice.AskAsync(request)).StartLine);

        await AssertAnswerAsync("416 Unsupported URI Scheme", _alice.Request("OPTIONS", "tel:+4912345", _bob.Impu));
        await AssertAnswerAsync("483 Too Many Hops", _alice.Request("OPTIONS", _bob.Impu, maxForwards: 0));
        await AssertAnswerAsync("404 Not Found", _alice.Request("OPTIONS", "sip:bob@elsewhere.example"));
        await AssertAnswerAsync("480 Temporarily Unavailable", _alice.Request("OPTIONS", "sip:guest-1@ims.example"));
        await AssertAnswerAsync(
            "403 Forbidden: From is not your identity", _alice.Request("OPTIONS", _bob.Impu, from: "<sip:x@y.example>"));
        await AssertAnswerAsync(
            "403 Forbidden: no route beyond this server", _alice.Request("OPTIONS", _bob.Impu, extra: "Route: <sip:10.0.0.1;lr>\r\n"));
        await AssertAnswerAsync("481 Call/Transaction Does Not Exist", _alice.Request("BYE", _bob.Impu, toTag: "b1"));
        await _alice.SendAsync(Wic.Following(_alice.Invite(_bob.Impu), "CANCEL"));
        await _alice.ExpectAsync("SIP/2.0 481 Call/Transaction Does Not Exist");
        await using var stranger = await _app.ConnectAsync("alice");
        Assert.Equal("SIP/2.0 403 Forbidden: not registered", (await stranger.AskAsync(stranger.Request("OPTIONS", _bob.Impu))).StartLine);
        Assert.Equal(
            "SIP/2.0 403 Forbidden: not registered", (await stranger.AskAsync(stranger.Request("BYE", _bob.Impu, toTag: "b1"))).StartLine);
        await _bob.AssertNothingAsync();
        AssertNoFailure();
    }

    [Fact]
    [Requirement("RFC3261-16.12")]
    public async Task RefusalsInADialog_SayWhy()
    {
        var ok = await CallAsync(_bob);
        var beyond = _alice.InDialog("BYE", ok).Replace("lr>", "lr>, <sip:10.0.0.1;lr>", StringComparison.Ordinal);
        Assert.Equal("SIP/2.0 403 Forbidden: no route beyond this server", (await _alice.AskAsync(beyond)).StartLine);

        _time.Advance(TimeSpan.FromMinutes(11));
        var refused = await _alice.AskAsync(_alice.InDialog("INFO", ok));
        Assert.Equal("SIP/2.0 403 Forbidden: the registration has expired", refused.StartLine);
        await _alice.SendAsync(_alice.InDialog("BYE", ok));
        await _bob.ExpectAsync("BYE");
    }

    [Fact]
    [Requirement("RFC3261-16.3-4")]
    public async Task Loop_Is482WithItsPhrase()
    {
        var request = _alice.Request("MESSAGE", _bob.Impu, callId: "loop", cseq: 7);
        await _alice.SendAsync(request);
        var ours = (await _bob.ExpectAsync("MESSAGE")).All("Via")[0];
        var again = _alice.Request("MESSAGE", _bob.Impu, callId: "loop", cseq: 7)
            .Replace("Max-Forwards", $"Via: {ours}\r\nMax-Forwards", StringComparison.Ordinal);
        Assert.Equal("SIP/2.0 482 Loop Detected", (await _alice.AskAsync(again)).StartLine);

        // The same branch of another server is not ours.
        var other = again.Replace("WSS epcscf.ims.example", "WSS epcscf.other.example", StringComparison.Ordinal)
            .Replace("branch=z9hG4bK", "branch=z9hG4bK0", StringComparison.Ordinal);
        await _alice.SendAsync(other);
        await _bob.ExpectAsync("MESSAGE");
    }

    [Theory]
    [InlineData("<sip:someone@epcscf.ims.example;lr>")]
    [InlineData("<sip:orig@elsewhere.example;lr>")]
    [Requirement("RFC3261-16.4")]
    public async Task RouteThatIsNotTheServiceRoute_Is403(string route)
    {
        var answer = await _alice.AskAsync(_alice.Request("OPTIONS", _bob.Impu, extra: $"Route: {route}\r\n"));
        Assert.StartsWith("SIP/2.0 403", answer.StartLine);
        await _bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-16.6-6")]
    public async Task AckWithoutHopsLeft_IsDropped()
    {
        var ok = await CallAsync(_bob);
        var ack = _alice.InDialog("ACK", ok);
        await _alice.SendAsync(ack.Replace("Max-Forwards: 69", "Max-Forwards: 0", StringComparison.Ordinal));
        await _alice.AssertNothingAsync();
        await _bob.AssertNothingAsync();

        await _alice.SendAsync(ack);
        Assert.Equal("68", (await _bob.ExpectAsync("ACK"))["Max-Forwards"]);
    }

    [Fact]
    [Requirement("RFC3261-16.7-4")]
    public async Task DeviceThatRingsAfterTheAnswer_IsNotHeardByTheCaller()
    {
        await using var second = await _app.RegisterAsync("bob");
        await _alice.SendAsync(_alice.Invite(_bob.Impu));
        await _alice.ExpectAsync("SIP/2.0 100");
        var late = await second.ExpectAsync("INVITE");
        await _bob.AnswerAsync(await _bob.ExpectAsync("INVITE"), 200, "OK");
        await _alice.ExpectAsync("SIP/2.0 200");

        await second.AnswerAsync(late, 180, "Ringing");
        await second.ExpectAsync("CANCEL");
        await _alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-16.7-5")]
    public async Task Response600_CancelsTheOtherDevices()
    {
        await using var second = await _app.RegisterAsync("bob");
        await _alice.SendAsync(_alice.Invite(_bob.Impu));
        await _alice.ExpectAsync("SIP/2.0 100");
        var ringing = await second.ExpectAsync("INVITE");
        await second.AnswerAsync(ringing, 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");
        await _bob.AnswerAsync(await _bob.ExpectAsync("INVITE"), 600, "Busy Everywhere");

        await second.AnswerAsync(await second.ExpectAsync("CANCEL"), 200, "OK");
        await second.AnswerAsync(ringing, 487, "Request Terminated");
        await _alice.ExpectAsync("SIP/2.0 600 Busy Everywhere");
    }

    [Fact]
    [Requirement("RFC3261-16.7")]
    public async Task ForkedRequest_StaysUntilEveryBranchHasEnded()
    {
        await using var second = await _app.RegisterAsync("bob");
        await _alice.SendAsync(_alice.Invite(_bob.Impu));
        await _alice.ExpectAsync("SIP/2.0 100");
        var pending = await second.ExpectAsync("INVITE");
        await second.AnswerAsync(pending, 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");
        await _bob.AnswerAsync(await _bob.ExpectAsync("INVITE"), 200, "OK");
        await _alice.ExpectAsync("SIP/2.0 200");
        await second.ExpectAsync("CANCEL");
        await _bob.AssertNothingAsync();
        Assert.Equal(1, _app.Service<ProxiedRequests>().Count);

        await second.AnswerAsync(pending, 487, "Request Terminated");
        await second.ExpectAsync("ACK");
        await second.AssertNothingAsync();
        Assert.Equal(0, _app.Service<ProxiedRequests>().Count);
        await _alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-16.7-6")]
    public async Task FirstRefusalOfTwo_WaitsForTheOther()
    {
        await using var second = await _app.RegisterAsync("bob");
        await _alice.SendAsync(_alice.Request("MESSAGE", _bob.Impu));
        await _bob.AnswerAsync(await _bob.ExpectAsync("MESSAGE"), 486, "Busy Here");
        await _bob.AssertNothingAsync();
        await _alice.AssertNothingAsync();
        AssertNoFailure();

        await second.AnswerAsync(await second.ExpectAsync("MESSAGE"), 404, "Not Found");
        await _alice.ExpectAsync("SIP/2.0 404");
    }

    [Theory]
    [InlineData(404, 380, 380)]
    [InlineData(486, 404, 404)]
    [InlineData(504, 501, 501)]
    [InlineData(503, 480, 480)]
    [InlineData(499, 500, 499)]
    [InlineData(606, 302, 606)]
    [Requirement("RFC3261-16.7-6")]
    public async Task LowerClass_ThenLowerCode_IsTheBestResponse(int one, int other, int expected)
    {
        await using var second = await _app.RegisterAsync("bob");
        await _alice.SendAsync(_alice.Request("MESSAGE", _bob.Impu));
        var (first, last) = (await _bob.ExpectAsync("MESSAGE"), await second.ExpectAsync("MESSAGE"));
        await _bob.AnswerAsync(first, one, "Refused");
        await second.AnswerAsync(last, other, "Refused");
        await _alice.ExpectAsync($"SIP/2.0 {expected}");
    }

    [Fact]
    [Requirement("RFC3261-16.7-6")]
    public async Task OnlyResponse503_Becomes500WithItsPhrase()
    {
        await _alice.SendAsync(_alice.Request("MESSAGE", _bob.Impu));
        await _bob.AnswerAsync(await _bob.ExpectAsync("MESSAGE"), 503, "Service Unavailable");
        await _alice.ExpectAsync("SIP/2.0 500 Server Internal Error");
    }

    [Fact]
    public async Task UnrelatedPageThatLeaves_DoesNotTouchTheCall()
    {
        await using var guest = await _app.RegisterAsync("guest-1");
        await _alice.SendAsync(_alice.Invite(_bob.Impu));
        await _alice.ExpectAsync("SIP/2.0 100");
        var invite = await _bob.ExpectAsync("INVITE");
        await _bob.AnswerAsync(invite, 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");

        await guest.LoseConnectionAsync();
        _time.Advance(ConnectionLifetimes.Grace);
        Assert.StartsWith("SIP/2.0 480", (await _alice.AskAsync(_alice.Request("OPTIONS", guest.Impu))).StartLine);
        await _bob.AssertNothingAsync();
        await _bob.AnswerAsync(invite, 200, "OK");
        await _alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("RFC3325-5")]
    public async Task SubscriberWithoutADisplayName_IsNamedByTheIdentityOnly()
    {
        await _alice.SendAsync(_alice.Invite(_bob.Impu));
        await _alice.ExpectAsync("SIP/2.0 100");
        await _bob.AnswerAsync(await _bob.ExpectAsync("INVITE"), 180, "Ringing");
        Assert.Equal(["<sip:bob@ims.example>"], (await _alice.ExpectAsync("SIP/2.0 180")).All("P-Asserted-Identity"));

        await _bob.SendAsync(_bob.Request("MESSAGE", _alice.Impu));
        Assert.Equal(["<sip:bob@ims.example>"], (await _alice.ExpectAsync("MESSAGE")).All("P-Asserted-Identity"));
    }

    [Theory]
    [InlineData("header", false)]
    [InlineData("user", false)]
    [InlineData("ID", false)]
    [InlineData("critical", true)]
    [InlineData("none", true)]
    [Requirement("RFC3325-9.1")]
    public async Task Privacy_HidesTheIdentity_IfItIncludesIt(string privacy, bool isNamed)
    {
        await _alice.SendAsync(_alice.Request("MESSAGE", _bob.Impu, extra: $"Privacy: {privacy}\r\n"));
        Assert.Equal(isNamed, (await _bob.ExpectAsync("MESSAGE")).Has("P-Asserted-Identity"));
    }

    [Fact]
    [Requirement("RFC3325-5")]
    public async Task AnonymousCallerWithoutPrivacy_IsNamedByTheDefaultIdentity()
    {
        await _alice.SendAsync(_alice.Request("MESSAGE", _bob.Impu, from: "<sip:anonymous@anonymous.invalid>"));
        Assert.Equal(["\"Alice\" <sip:alice@ims.example>"], (await _bob.ExpectAsync("MESSAGE")).All("P-Asserted-Identity"));
    }

    [Fact]
    public async Task RefusedCall_TellsWhenToTryAgain_AndTheBudgetRefillsOncePerSecond()
    {
        for (var i = 0; i < 60; i++)
        {
            await _alice.SendAsync(_alice.Request("MESSAGE", "sip:nobody@ims.example"));
            await _alice.ExpectAsync("SIP/2.0 404");
        }
        var refused = await _alice.AskAsync(_alice.Request("MESSAGE", "sip:nobody@ims.example"));
        Assert.Equal(("SIP/2.0 503 Service Unavailable: too many calls", "5"), (refused.StartLine, refused["Retry-After"]));

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.StartsWith("SIP/2.0 404", (await _alice.AskAsync(_alice.Request("MESSAGE", "sip:nobody@ims.example"))).StartLine);
        Assert.StartsWith("SIP/2.0 503", (await _alice.AskAsync(_alice.Request("MESSAGE", "sip:nobody@ims.example"))).StartLine);
    }

    [Fact]
    [Requirement("RFC3325-5")]
    public async Task ResponseInADialog_AssertsNoIdentity()
    {
        var ok = await CallAsync(_bob);
        await _alice.SendAsync(_alice.InDialog("BYE", ok));
        await _bob.AnswerAsync(await _bob.ExpectAsync("BYE"), 200, "OK");
        Assert.False((await _alice.ExpectAsync("SIP/2.0 200")).Has("P-Asserted-Identity"));
    }

    /// <summary>A message that causes an exception is logged, and may be answered all the same.</summary>
    private void AssertNoFailure() =>
        Assert.DoesNotContain(_app.Logs.Records, record => record.Contains("could not be handled", StringComparison.Ordinal));

    /// <summary>The 200 of a call that was answered, before its ACK.</summary>
    private async Task<Received> CallAsync(Wic callee)
    {
        await _alice.SendAsync(_alice.Invite(callee.Impu));
        await _alice.ExpectAsync("SIP/2.0 100");
        await callee.AnswerAsync(await callee.ExpectAsync("INVITE"), 200, "OK");
        return await _alice.ExpectAsync("SIP/2.0 200");
    }
}
