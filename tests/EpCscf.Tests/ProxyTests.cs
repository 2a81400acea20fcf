using Microsoft.Extensions.Time.Testing;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.EpCscf.Sip;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>Rules of the proxy at their boundaries: routes, loops, forks, identities and the responses that it makes itself.</summary>
public sealed class ProxyTests : AliceAndBob
{
    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));

    private protected override FakeTimeProvider ServerTime => _time;

    private protected override (string Key, string Value)[] Settings =>
        [("EpCscf:Subscribers:1:DisplayName", ""), ("EpCscf:Limits:CallsPerMinute", "60")];

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
            Assert.Equal($"SIP/2.0 {line}", (await Alice.AskAsync(request)).StartLine);

        await AssertAnswerAsync("416 Unsupported URI Scheme", Alice.Request("OPTIONS", "isbn:2983792873", Bob.Impu));
        await AssertAnswerAsync("483 Too Many Hops", Alice.Request("OPTIONS", Bob.Impu, maxForwards: 0));
        await AssertAnswerAsync("404 Not Found", Alice.Request("OPTIONS", "sip:bob@elsewhere.example"));
        await AssertAnswerAsync("480 Temporarily Unavailable", Alice.Request("OPTIONS", "sip:guest-1@ims.example"));
        await AssertAnswerAsync(
            "403 Forbidden: From is not your identity", Alice.Request("OPTIONS", Bob.Impu, from: "<sip:x@y.example>"));
        await AssertAnswerAsync(
            "403 Forbidden: no route beyond this server", Alice.Request("OPTIONS", Bob.Impu, extra: "Route: <sip:10.0.0.1;lr>\r\n"));
        await AssertAnswerAsync("481 Call/Transaction Does Not Exist", Alice.Request("BYE", Bob.Impu, toTag: "b1"));
        await Alice.SendAsync(Wic.Following(Alice.Invite(Bob.Impu), "CANCEL"));
        await Alice.ExpectAsync("SIP/2.0 481 Call/Transaction Does Not Exist");
        await using var stranger = await App.ConnectAsync("alice");
        Assert.Equal("SIP/2.0 403 Forbidden: not registered", (await stranger.AskAsync(stranger.Request("OPTIONS", Bob.Impu))).StartLine);
        Assert.Equal(
            "SIP/2.0 403 Forbidden: not registered", (await stranger.AskAsync(stranger.Request("BYE", Bob.Impu, toTag: "b1"))).StartLine);
        await Bob.AssertNothingAsync();
        AssertNoFailure();
    }

    [Fact]
    [Requirement("RFC3261-16.12")]
    public async Task RefusalsInADialog_SayWhy()
    {
        var ok = await CallAsync(Bob);
        var beyond = Alice.InDialog("BYE", ok).Replace("lr>", "lr>, <sip:10.0.0.1;lr>", StringComparison.Ordinal);
        Assert.Equal("SIP/2.0 403 Forbidden: no route beyond this server", (await Alice.AskAsync(beyond)).StartLine);

        _time.Advance(TimeSpan.FromMinutes(11));
        var refused = await Alice.AskAsync(Alice.InDialog("INFO", ok));
        Assert.Equal("SIP/2.0 403 Forbidden: the registration has expired", refused.StartLine);
        await Alice.SendAsync(Alice.InDialog("BYE", ok));
        await Bob.ExpectAsync("BYE");
    }

    [Fact]
    [Requirement("RFC3261-16.3-4")]
    public async Task Loop_Is482WithItsPhrase()
    {
        var request = Alice.Request("MESSAGE", Bob.Impu, callId: "loop", cseq: 7);
        await Alice.SendAsync(request);
        var ours = (await Bob.ExpectAsync("MESSAGE")).All("Via")[0];
        var again = Alice.Request("MESSAGE", Bob.Impu, callId: "loop", cseq: 7)
            .Replace("Max-Forwards", $"Via: {ours}\r\nMax-Forwards", StringComparison.Ordinal);
        Assert.Equal("SIP/2.0 482 Loop Detected", (await Alice.AskAsync(again)).StartLine);

        // The same branch of another server is not ours.
        var other = again.Replace("WSS epcscf.ims.example", "WSS epcscf.other.example", StringComparison.Ordinal)
            .Replace("branch=z9hG4bK", "branch=z9hG4bK0", StringComparison.Ordinal);
        await Alice.SendAsync(other);
        await Bob.ExpectAsync("MESSAGE");
    }

    [Theory]
    [InlineData("<sip:someone@epcscf.ims.example;lr>")]
    [InlineData("<sip:orig@elsewhere.example;lr>")]
    [Requirement("RFC3261-16.4")]
    public async Task RouteThatIsNotTheServiceRoute_Is403(string route)
    {
        var answer = await Alice.AskAsync(Alice.Request("OPTIONS", Bob.Impu, extra: $"Route: {route}\r\n"));
        Assert.StartsWith("SIP/2.0 403", answer.StartLine);
        await Bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-16.6-6")]
    public async Task AckWithoutHopsLeft_IsDropped()
    {
        var ok = await CallAsync(Bob);
        var ack = Alice.InDialog("ACK", ok);
        await Alice.SendAsync(ack.Replace("Max-Forwards: 69", "Max-Forwards: 0", StringComparison.Ordinal));
        await Alice.AssertNothingAsync();
        await Bob.AssertNothingAsync();

        await Alice.SendAsync(ack);
        Assert.Equal("68", (await Bob.ExpectAsync("ACK"))["Max-Forwards"]);
    }

    [Fact]
    [Requirement("RFC3261-16.7-4")]
    public async Task DeviceThatRingsAfterTheAnswer_IsNotHeardByTheCaller()
    {
        await using var second = await App.RegisterAsync("bob");
        await Alice.SendAsync(Alice.Invite(Bob.Impu));
        await Alice.ExpectAsync("SIP/2.0 100");
        var late = await second.ExpectAsync("INVITE");
        await Bob.AnswerAsync(await Bob.ExpectAsync("INVITE"), 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");

        await second.AnswerAsync(late, 180, "Ringing");
        await second.ExpectAsync("CANCEL");
        await Alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-16.7-5")]
    public async Task Response600_CancelsTheOtherDevices()
    {
        await using var second = await App.RegisterAsync("bob");
        await Alice.SendAsync(Alice.Invite(Bob.Impu));
        await Alice.ExpectAsync("SIP/2.0 100");
        var ringing = await second.ExpectAsync("INVITE");
        await second.AnswerAsync(ringing, 180, "Ringing");
        await Alice.ExpectAsync("SIP/2.0 180");
        await Bob.AnswerAsync(await Bob.ExpectAsync("INVITE"), 600, "Busy Everywhere");

        await second.AnswerAsync(await second.ExpectAsync("CANCEL"), 200, "OK");
        await second.AnswerAsync(ringing, 487, "Request Terminated");
        await Alice.ExpectAsync("SIP/2.0 600 Busy Everywhere");
    }

    [Fact]
    [Requirement("RFC3261-16.7")]
    public async Task ForkedRequest_StaysUntilEveryBranchHasEnded()
    {
        await using var second = await App.RegisterAsync("bob");
        await Alice.SendAsync(Alice.Invite(Bob.Impu));
        await Alice.ExpectAsync("SIP/2.0 100");
        var pending = await second.ExpectAsync("INVITE");
        await second.AnswerAsync(pending, 180, "Ringing");
        await Alice.ExpectAsync("SIP/2.0 180");
        await Bob.AnswerAsync(await Bob.ExpectAsync("INVITE"), 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");
        await second.ExpectAsync("CANCEL");
        await Bob.AssertNothingAsync();
        Assert.Equal(1, App.Service<ProxiedRequests>().Count);

        await second.AnswerAsync(pending, 487, "Request Terminated");
        await second.ExpectAsync("ACK");
        await second.AssertNothingAsync();
        Assert.Equal(0, App.Service<ProxiedRequests>().Count);
        await Alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-16.7-6")]
    public async Task FirstRefusalOfTwo_WaitsForTheOther()
    {
        await using var second = await App.RegisterAsync("bob");
        await Alice.SendAsync(Alice.Request("MESSAGE", Bob.Impu));
        await Bob.AnswerAsync(await Bob.ExpectAsync("MESSAGE"), 486, "Busy Here");
        await Bob.AssertNothingAsync();
        await Alice.AssertNothingAsync();
        AssertNoFailure();

        await second.AnswerAsync(await second.ExpectAsync("MESSAGE"), 404, "Not Found");
        await Alice.ExpectAsync("SIP/2.0 404");
    }

    [Theory]
    [InlineData(404, 380, 380)]
    [InlineData(486, 404, 404)]
    [InlineData(504, 501, 501)]
    [InlineData(503, 480, 480)]
    [InlineData(480, 408, 408)]
    [InlineData(408, 480, 408)]
    [InlineData(480, 487, 487)]
    [InlineData(499, 500, 499)]
    [InlineData(606, 302, 606)]
    [Requirement("RFC3261-16.7-6")]
    public async Task LowerClass_ThenLowerCode_IsTheBestResponse(int one, int other, int expected)
    {
        await using var second = await App.RegisterAsync("bob");
        await Alice.SendAsync(Alice.Request("MESSAGE", Bob.Impu));
        var (first, last) = (await Bob.ExpectAsync("MESSAGE"), await second.ExpectAsync("MESSAGE"));
        await Bob.AnswerAsync(first, one, "Refused");
        await second.AnswerAsync(last, other, "Refused");
        await Alice.ExpectAsync($"SIP/2.0 {expected}");
    }

    /// <summary>A page that was left a moment ago may come back. The caller reads what happened at the page that rang.</summary>
    [Theory]
    [InlineData(408)]
    [InlineData(486)]
    [Requirement("RFC3261-16.7-6")]
    public async Task DeviceThatIsGone_DoesNotHideTheAnswerOfTheOther(int status)
    {
        await using var second = await App.RegisterAsync("bob");
        await Bob.LoseConnectionAsync();
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example"));
        await Alice.ExpectAsync("SIP/2.0 100");
        await second.AnswerAsync(await second.ExpectAsync("INVITE"), status, "Refused");
        await second.ExpectAsync("ACK");
        await Alice.AssertNothingAsync();

        _time.Advance(ConnectionLifetimes.Grace);
        await Alice.ExpectAsync($"SIP/2.0 {status}");
    }

    [Fact]
    [Requirement("RFC3261-16.7-6")]
    public async Task OnlyResponse503_Becomes500WithItsPhrase()
    {
        await Alice.SendAsync(Alice.Request("MESSAGE", Bob.Impu));
        await Bob.AnswerAsync(await Bob.ExpectAsync("MESSAGE"), 503, "Service Unavailable");
        await Alice.ExpectAsync("SIP/2.0 500 Server Internal Error");
    }

    [Fact]
    public async Task UnrelatedPageThatLeaves_DoesNotTouchTheCall()
    {
        await using var guest = await App.RegisterAsync("guest-1");
        await Alice.SendAsync(Alice.Invite(Bob.Impu));
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        await Bob.AnswerAsync(invite, 180, "Ringing");
        await Alice.ExpectAsync("SIP/2.0 180");

        await guest.LoseConnectionAsync();
        _time.Advance(ConnectionLifetimes.Grace);
        Assert.StartsWith("SIP/2.0 480", (await Alice.AskAsync(Alice.Request("OPTIONS", guest.Impu))).StartLine);
        await Bob.AssertNothingAsync();
        await Bob.AnswerAsync(invite, 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("RFC3325-5")]
    public async Task SubscriberWithoutADisplayName_IsNamedByTheIdentityOnly()
    {
        await Alice.SendAsync(Alice.Invite(Bob.Impu));
        await Alice.ExpectAsync("SIP/2.0 100");
        await Bob.AnswerAsync(await Bob.ExpectAsync("INVITE"), 180, "Ringing");
        Assert.Equal(["<sip:bob@ims.example>"], (await Alice.ExpectAsync("SIP/2.0 180")).All("P-Asserted-Identity"));

        await Bob.SendAsync(Bob.Request("MESSAGE", Alice.Impu));
        Assert.Equal(["<sip:bob@ims.example>"], (await Alice.ExpectAsync("MESSAGE")).All("P-Asserted-Identity"));
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
        await Alice.SendAsync(Alice.Request("MESSAGE", Bob.Impu, extra: $"Privacy: {privacy}\r\n"));
        Assert.Equal(isNamed, (await Bob.ExpectAsync("MESSAGE")).Has("P-Asserted-Identity"));
    }

    [Fact]
    [Requirement("RFC3325-5")]
    public async Task AnonymousCallerWithoutPrivacy_IsNamedByTheDefaultIdentity()
    {
        await Alice.SendAsync(Alice.Request("MESSAGE", Bob.Impu, from: "<sip:anonymous@anonymous.invalid>"));
        Assert.Equal(["\"Alice\" <sip:alice@ims.example>"], (await Bob.ExpectAsync("MESSAGE")).All("P-Asserted-Identity"));
    }

    [Fact]
    public async Task RefusedCall_TellsWhenToTryAgain_AndTheBudgetRefillsOncePerSecond()
    {
        for (var i = 0; i < 60; i++)
        {
            await Alice.SendAsync(Alice.Request("MESSAGE", "sip:nobody@ims.example"));
            await Alice.ExpectAsync("SIP/2.0 404");
        }
        var refused = await Alice.AskAsync(Alice.Request("MESSAGE", "sip:nobody@ims.example"));
        Assert.Equal(("SIP/2.0 503 Service Unavailable: too many calls", "5"), (refused.StartLine, refused["Retry-After"]));

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.StartsWith("SIP/2.0 404", (await Alice.AskAsync(Alice.Request("MESSAGE", "sip:nobody@ims.example"))).StartLine);
        Assert.StartsWith("SIP/2.0 503", (await Alice.AskAsync(Alice.Request("MESSAGE", "sip:nobody@ims.example"))).StartLine);
    }

    [Fact]
    [Requirement("RFC3325-5")]
    public async Task ResponseInADialog_AssertsNoIdentity()
    {
        var ok = await CallAsync(Bob);
        await Alice.SendAsync(Alice.InDialog("BYE", ok));
        await Bob.AnswerAsync(await Bob.ExpectAsync("BYE"), 200, "OK");
        Assert.False((await Alice.ExpectAsync("SIP/2.0 200")).Has("P-Asserted-Identity"));
    }

    /// <summary>A message that causes an exception is logged, and may be answered all the same.</summary>
    private void AssertNoFailure() =>
        Assert.DoesNotContain(App.Logs.Records, record => record.Contains("could not be handled", StringComparison.Ordinal));

    /// <summary>The 200 of a call that was answered, before its ACK.</summary>
    private async Task<Received> CallAsync(Wic callee)
    {
        await Alice.SendAsync(Alice.Invite(callee.Impu));
        await Alice.ExpectAsync("SIP/2.0 100");
        await callee.AnswerAsync(await callee.ExpectAsync("INVITE"), 200, "OK");
        return await Alice.ExpectAsync("SIP/2.0 200");
    }
}
