using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>Two pages call each other through a real server.</summary>
public sealed class CallTests : AliceAndBob
{
    [Fact]
    [Requirement("RFC3261-16")]
    public async Task Call_IsRungAnsweredAndEndedByTheCaller()
    {
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example"));
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync($"INVITE {Bob.Contact} SIP/2.0");
        Assert.Equal("v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\n", invite.Body);
        Assert.Equal("68", invite["Max-Forwards"]);

        await Bob.AnswerAsync(invite, 100, "Trying");
        await Bob.AnswerAsync(invite, 180, "Ringing");
        await Alice.ExpectAsync("SIP/2.0 180");
        await Bob.AnswerAsync(invite, 200, "OK", body: "v=0\r\n");
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        Assert.Equal("v=0\r\n", ok.Body);

        await Alice.SendAsync(Alice.InDialog("ACK", ok));
        await Bob.ExpectAsync($"ACK {Bob.Contact};ob SIP/2.0");
        await Alice.SendAsync(Alice.InDialog("BYE", ok));
        var bye = await Bob.ExpectAsync("BYE");
        Assert.False(bye.Has("Route"));
        await Bob.AnswerAsync(bye, 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("EXP-18")]
    public async Task RegistrationAndCall_AreLogged_WithPseudonymsOnly()
    {
        var (invite, _) = await ConnectAsync();
        await Bob.SendAsync(Bob.InDialog("BYE", invite: invite, extra: "Reason: RELEASE_CAUSE;cause=2;text=\"RTP/RTCP time-out\"\r\n"));
        await Alice.AnswerAsync(await Alice.ExpectAsync("BYE"), 200, "OK");
        await Bob.ExpectAsync("SIP/2.0 200");
        await Alice.SendAsync(Alice.Invite("sip:carol@ims.example"));
        await Alice.ExpectAsync("SIP/2.0 100");
        await Alice.ExpectAsync("SIP/2.0 480");

        var (alice, bob) = (Contracts.Pseudonym.Of("session-of-alice"), Contracts.Pseudonym.Of("session-of-bob"));
        await LoggedAsync($"Session {alice} is registered, for");
        await LoggedAsync($"A call of session {alice} was answered after");
        await LoggedAsync($"Session {bob} ended its call: RELEASE_CAUSE;cause=2;text=\"RTP/RTCP time-out\"");
        await LoggedAsync($"A call of session {alice} failed after");
        await LoggedAsync("with 480: not reachable at the moment");
        var records = App.Logs.Records.Where(record => record.Contains("CallLog", StringComparison.Ordinal)).ToList();
        Assert.All(records, record => Assert.DoesNotMatch("sip:|session-of|alice|bob", record));
    }

    private Task LoggedAsync(string text) =>
        Eventually.IsTrueAsync(() => App.Logs.Text.Contains(text, StringComparison.Ordinal));

    [Fact]
    [Requirement("RFC3261-16.12")]
    public async Task Call_IsEndedByTheCallee()
    {
        var (invite, _) = await ConnectAsync();

        await Bob.SendAsync(Bob.InDialog("BYE", invite: invite));
        var bye = await Alice.ExpectAsync($"BYE {Alice.Contact};ob SIP/2.0");
        await Alice.AnswerAsync(bye, 200, "OK");
        await Bob.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("RFC3261-9")]
    public async Task CallerHangsUpBeforeTheAnswer_CalleeIsCancelledAndCallerGets487()
    {
        var request = Alice.Invite("sip:bob@ims.example");
        await Alice.SendAsync(request);
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        await Bob.AnswerAsync(invite, 180, "Ringing");
        await Alice.ExpectAsync("SIP/2.0 180");

        await Alice.SendAsync(Wic.Following(request, "CANCEL"));
        Assert.Equal("SIP/2.0 200 OK", (await Alice.ExpectAsync("SIP/2.0")).StartLine);
        var cancel = await Bob.ExpectAsync("CANCEL");
        Assert.Equal(invite["Via"], cancel["Via"]);
        Assert.Single(cancel.All("Via"));
        await Bob.AnswerAsync(cancel, 200, "OK");
        await Bob.AnswerAsync(invite, 487, "Request Terminated");
        await Bob.ExpectAsync("ACK");
        var terminated = await Alice.ExpectAsync("SIP/2.0 487");
        await Alice.SendAsync(Wic.Following(request, "ACK", terminated["To"]));
        await Alice.AssertNothingAsync();
        await Bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task CancelBeforeAnythingRings_WaitsForTheFirstProvisionalAnswer()
    {
        var request = Alice.Invite("sip:bob@ims.example");
        await Alice.SendAsync(request);
        var invite = await Bob.ExpectAsync("INVITE");
        await Alice.SendAsync(Wic.Following(request, "CANCEL"));
        await Alice.ExpectAsync("SIP/2.0 100");
        await Alice.ExpectAsync("SIP/2.0 200");
        await Bob.AssertNothingAsync();

        await Bob.AnswerAsync(invite, 180, "Ringing");
        var cancel = await Bob.ExpectAsync("CANCEL");
        await Bob.AnswerAsync(cancel, 200, "OK");
        await Bob.AnswerAsync(invite, 487, "Request Terminated");
        await Alice.ExpectAsync("SIP/2.0 180");
        await Alice.ExpectAsync("SIP/2.0 487");
    }

    [Theory]
    [InlineData(486, "Busy Here")]
    [InlineData(487, "Request Terminated")]
    [InlineData(488, "Not Acceptable Here")]
    [InlineData(603, "Decline")]
    public async Task CalleesRefusal_ReachesTheCallerAndIsAcknowledgedHopByHop(int code, string reason)
    {
        var request = Alice.Invite("sip:bob@ims.example");
        await Alice.SendAsync(request);
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        await Bob.AnswerAsync(invite, code, reason);

        var ack = await Bob.ExpectAsync("ACK");
        Assert.Equal(invite["Via"], ack["Via"]);
        Assert.Single(ack.All("Via"));
        Assert.EndsWith(";tag=b1", ack["To"]);
        var refused = await Alice.ExpectAsync($"SIP/2.0 {code} {reason}");
        await Alice.SendAsync(Wic.Following(request, "ACK", refused["To"]));
        await Alice.AssertNothingAsync();
        await Bob.AssertNothingAsync();
    }

    [Fact]
    public async Task UnknownIdentity_Is404() =>
        Assert.Equal("SIP/2.0 404 Not Found", (await Alice.AskAsync(Alice.Invite("sip:nobody@ims.example"))).StartLine);

    [Fact]
    public async Task OtherDomain_Is404() =>
        Assert.StartsWith("SIP/2.0 404", (await Alice.AskAsync(Alice.Invite("sip:bob@elsewhere.example"))).StartLine);

    [Fact]
    public async Task KnownButNotOnline_Is480() =>
        Assert.Equal("SIP/2.0 480 Temporarily Unavailable", (await Alice.AskAsync(Alice.Invite("sip:guest-1@ims.example"))).StartLine);

    [Fact]
    public async Task CancelOfNothing_Is481()
    {
        await Alice.SendAsync(Wic.Following(Alice.Invite("sip:bob@ims.example"), "CANCEL"));
        await Alice.ExpectAsync("SIP/2.0 481");
    }

    [Fact]
    [Requirement("RFC3261-16.7-5")]
    public async Task TwoPagesOfTheCallee_BothRing_TheOtherStopsWhenOneAnswers()
    {
        await using var second = await App.RegisterAsync("bob");
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example"));
        await Alice.ExpectAsync("SIP/2.0 100");
        var first = await Bob.ExpectAsync("INVITE");
        var other = await second.ExpectAsync("INVITE");
        Assert.NotEqual(first["Via"], other["Via"]);
        await Bob.AnswerAsync(first, 180, "Ringing", "b1");
        await second.AnswerAsync(other, 180, "Ringing", "b2");
        await Alice.ExpectAsync("SIP/2.0 180");
        await Alice.ExpectAsync("SIP/2.0 180");

        await second.AnswerAsync(other, 200, "OK", "b2");
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        Assert.EndsWith(";tag=b2", ok["To"]);
        var cancel = await Bob.ExpectAsync("CANCEL");
        Assert.Contains("cause=200", cancel["Reason"]);
        await Bob.AnswerAsync(cancel, 200, "OK");
        await Bob.AnswerAsync(first, 487, "Request Terminated");
        await Bob.ExpectAsync("ACK");

        await Alice.SendAsync(Alice.InDialog("ACK", ok));
        await second.ExpectAsync("ACK");
        await Alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-16.7-5")]
    public async Task TwoPagesAnswerAtOnce_BothAnswersReachTheCaller()
    {
        await using var second = await App.RegisterAsync("bob");
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example"));
        await Alice.ExpectAsync("SIP/2.0 100");
        var (first, other) = (await Bob.ExpectAsync("INVITE"), await second.ExpectAsync("INVITE"));
        await Bob.AnswerAsync(first, 200, "OK", "b1");
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        await second.AnswerAsync(other, 200, "OK", "b2");
        var late = await Alice.ExpectAsync("SIP/2.0 200");
        Assert.EndsWith(";tag=b2", late["To"]);

        // As JsSIP does: the first is taken, the other ended.
        await Alice.SendAsync(Alice.InDialog("ACK", ok));
        await Alice.SendAsync(Alice.InDialog("ACK", late));
        await Alice.SendAsync(Alice.InDialog("BYE", late));
        await Bob.ExpectAsync("ACK");
        await second.ExpectAsync("ACK");
        await second.AnswerAsync(await second.ExpectAsync("BYE"), 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("RFC3262-4")]
    public async Task ReliableProvisionalAnswer_AndItsPrack_PassThrough()
    {
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example", "Require: 100rel\r\n"));
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        Assert.Equal("100rel", invite["Require"]);
        await Bob.AnswerAsync(invite, 183, "Session Progress", extra: "Require: 100rel\r\nRSeq: 988789\r\n");
        var progress = await Alice.ExpectAsync("SIP/2.0 183");
        Assert.Equal(("100rel", "988789"), (progress["Require"], progress["RSeq"]));

        await Alice.SendAsync(Alice.InDialog("PRACK", progress, extra: "RAck: 988789 1 INVITE\r\n"));
        var prack = await Bob.ExpectAsync("PRACK");
        Assert.Equal("988789 1 INVITE", prack["RAck"]);
        await Bob.AnswerAsync(prack, 200, "OK");
        Assert.EndsWith("PRACK", (await Alice.ExpectAsync("SIP/2.0 200"))["CSeq"]);
    }

    [Fact]
    [Requirement("RFC3261-16.7-6")]
    public async Task OnlyAnswerIs503_CallerGets500_SinceThisServerIsWell()
    {
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example"));
        await Alice.ExpectAsync("SIP/2.0 100");
        await Bob.AnswerAsync(await Bob.ExpectAsync("INVITE"), 503, "Service Unavailable", extra: "Retry-After: 3600\r\n");
        Assert.False((await Alice.ExpectAsync("SIP/2.0 500")).Has("Retry-After"));
    }

    [Fact]
    [Requirement("RFC3261-16.7-6")]
    public async Task AllPagesRefuse_TheBestAnswerWins()
    {
        await using var second = await App.RegisterAsync("bob");
        await using var third = await App.RegisterAsync("bob");
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example"));
        await Alice.ExpectAsync("SIP/2.0 100");
        await Bob.AnswerAsync(await Bob.ExpectAsync("INVITE"), 503, "Service Unavailable");
        await second.AnswerAsync(await second.ExpectAsync("INVITE"), 480, "Temporarily Unavailable");
        await third.AnswerAsync(await third.ExpectAsync("INVITE"), 486, "Busy Here");

        await Alice.ExpectAsync("SIP/2.0 486");
    }

    [Fact]
    [Requirement("RFC3261-16.7-5")]
    public async Task OnePageDeclinesForAll_TheOthersStopRinging()
    {
        await using var second = await App.RegisterAsync("bob");
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example"));
        await Alice.ExpectAsync("SIP/2.0 100");
        var first = await Bob.ExpectAsync("INVITE");
        await Bob.AnswerAsync(first, 180, "Ringing");
        await Alice.ExpectAsync("SIP/2.0 180");
        await second.AnswerAsync(await second.ExpectAsync("INVITE"), 603, "Decline");

        await Bob.AnswerAsync(await Bob.ExpectAsync("CANCEL"), 200, "OK");
        await Bob.AnswerAsync(first, 487, "Request Terminated");
        await Alice.ExpectAsync("SIP/2.0 603");
    }

    [Theory]
    [InlineData(486, 480, 486)]
    [InlineData(486, 487, 486)]
    [InlineData(486, 408, 486)]
    [InlineData(486, 481, 486)]
    [InlineData(404, 401, 401)]
    [InlineData(404, 407, 407)]
    [InlineData(404, 415, 415)]
    [InlineData(404, 420, 420)]
    [InlineData(404, 484, 484)]
    [InlineData(500, 480, 480)]
    [InlineData(302, 404, 302)]
    [InlineData(404, 600, 600)]
    [InlineData(503, 504, 504)]
    [InlineData(503, 503, 500)]
    [Requirement("RFC3261-16.7-6")]
    public async Task TwoRefusals_TheBetterOneWins(int one, int other, int expected)
    {
        await using var second = await App.RegisterAsync("bob");
        await Alice.SendAsync(Alice.Request("MESSAGE", "sip:bob@ims.example"));
        var (first, last) = (await Bob.ExpectAsync("MESSAGE"), await second.ExpectAsync("MESSAGE"));
        await Bob.AnswerAsync(first, one, "Refused");
        await second.AnswerAsync(last, other, "Refused");
        await Alice.ExpectAsync($"SIP/2.0 {expected}");
    }

    [Theory]
    [InlineData("BYE")]
    [InlineData("INFO")]
    [InlineData("INVITE")]
    [InlineData("MESSAGE")]
    [InlineData("NOTIFY")]
    [InlineData("PRACK")]
    [InlineData("PUBLISH")]
    [InlineData("REFER")]
    [InlineData("UPDATE")]
    [Requirement("RFC3261-8.2.1")]
    public async Task StandardMethodToTheDomainItself_Is405(string method) =>
        Assert.Equal("SIP/2.0 405 Method Not Allowed", (await Alice.AskAsync(Alice.Request(method, "sip:ims.example"))).StartLine);

    [Fact]
    public async Task MessageOutsideOfACall_IsDelivered()
    {
        await Alice.SendAsync(Alice.Request("MESSAGE", "sip:bob@ims.example", body: "hello"));
        var message = await Bob.ExpectAsync("MESSAGE");
        Assert.Equal("hello", message.Body);
        Assert.False(message.Has("Record-Route"));
        await Bob.AnswerAsync(message, 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    public async Task RequestsToTheDomainItself_AreAnsweredHere()
    {
        var options = await Alice.AskAsync(Alice.Request("OPTIONS", "sip:ims.example"));
        Assert.Equal("SIP/2.0 200 OK", options.StartLine);
        Assert.Contains("REGISTER", options["Allow"]);
        Assert.StartsWith("SIP/2.0 405", (await Alice.AskAsync(Alice.Request("PUBLISH", "sip:ims.example"))).StartLine);
        Assert.StartsWith("SIP/2.0 501", (await Alice.AskAsync(Alice.Request("CONJURE", "sip:ims.example"))).StartLine);
    }

    /// <summary>A call between Alice and Bob that is up: the INVITE as Bob got it, the 200 as Alice did.</summary>
    private async Task<(Received Invite, Received Ok)> ConnectAsync()
    {
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example"));
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        await Bob.AnswerAsync(invite, 200, "OK");
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        await Alice.SendAsync(Alice.InDialog("ACK", ok));
        await Bob.ExpectAsync("ACK");
        return (invite, ok);
    }
}
