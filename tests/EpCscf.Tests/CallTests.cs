using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>Two pages call each other through a real server.</summary>
public sealed class CallTests : IAsyncLifetime
{
    private EpCscfApp _app = null!;
    private Wic _alice = null!;
    private Wic _bob = null!;

    public async ValueTask InitializeAsync()
    {
        _app = EpCscfApp.Start();
        _alice = await _app.RegisterAsync("alice");
        _bob = await _app.RegisterAsync("bob");
    }

    public async ValueTask DisposeAsync()
    {
        await _alice.DisposeAsync();
        await _bob.DisposeAsync();
        await _app.DisposeAsync();
    }

    [Fact]
    [Requirement("RFC3261-16")]
    public async Task Call_IsRungAnsweredAndEndedByTheCaller()
    {
        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example"));
        await _alice.ExpectAsync("SIP/2.0 100");
        var invite = await _bob.ExpectAsync($"INVITE {_bob.Contact} SIP/2.0");
        Assert.Equal("v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\n", invite.Body);
        Assert.Equal("68", invite["Max-Forwards"]);

        await _bob.AnswerAsync(invite, 100, "Trying");
        await _bob.AnswerAsync(invite, 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");
        await _bob.AnswerAsync(invite, 200, "OK", body: "v=0\r\n");
        var ok = await _alice.ExpectAsync("SIP/2.0 200");
        Assert.Equal("v=0\r\n", ok.Body);

        await _alice.SendAsync(_alice.InDialog("ACK", ok));
        await _bob.ExpectAsync($"ACK {_bob.Contact};ob SIP/2.0");
        await _alice.SendAsync(_alice.InDialog("BYE", ok));
        var bye = await _bob.ExpectAsync("BYE");
        Assert.False(bye.Has("Route"));
        await _bob.AnswerAsync(bye, 200, "OK");
        await _alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("RFC3261-16.12")]
    public async Task Call_IsEndedByTheCallee()
    {
        var (invite, _) = await ConnectAsync();

        await _bob.SendAsync(_bob.InDialog("BYE", invite: invite));
        var bye = await _alice.ExpectAsync($"BYE {_alice.Contact};ob SIP/2.0");
        await _alice.AnswerAsync(bye, 200, "OK");
        await _bob.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("RFC3261-9")]
    public async Task CallerHangsUpBeforeTheAnswer_CalleeIsCancelledAndCallerGets487()
    {
        var request = _alice.Invite("sip:bob@ims.example");
        await _alice.SendAsync(request);
        await _alice.ExpectAsync("SIP/2.0 100");
        var invite = await _bob.ExpectAsync("INVITE");
        await _bob.AnswerAsync(invite, 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");

        await _alice.SendAsync(Wic.Following(request, "CANCEL"));
        Assert.Equal("SIP/2.0 200 OK", (await _alice.ExpectAsync("SIP/2.0")).StartLine);
        var cancel = await _bob.ExpectAsync("CANCEL");
        Assert.Equal(invite["Via"], cancel["Via"]);
        Assert.Single(cancel.All("Via"));
        await _bob.AnswerAsync(cancel, 200, "OK");
        await _bob.AnswerAsync(invite, 487, "Request Terminated");
        await _bob.ExpectAsync("ACK");
        var terminated = await _alice.ExpectAsync("SIP/2.0 487");
        await _alice.SendAsync(Wic.Following(request, "ACK", terminated["To"]));
        await _bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task CancelBeforeAnythingRings_WaitsForTheFirstProvisionalAnswer()
    {
        var request = _alice.Invite("sip:bob@ims.example");
        await _alice.SendAsync(request);
        var invite = await _bob.ExpectAsync("INVITE");
        await _alice.SendAsync(Wic.Following(request, "CANCEL"));
        await _alice.ExpectAsync("SIP/2.0 100");
        await _alice.ExpectAsync("SIP/2.0 200");
        await _bob.AssertNothingAsync();

        await _bob.AnswerAsync(invite, 180, "Ringing");
        var cancel = await _bob.ExpectAsync("CANCEL");
        await _bob.AnswerAsync(cancel, 200, "OK");
        await _bob.AnswerAsync(invite, 487, "Request Terminated");
        await _alice.ExpectAsync("SIP/2.0 180");
        await _alice.ExpectAsync("SIP/2.0 487");
    }

    [Theory]
    [InlineData(486, "Busy Here")]
    [InlineData(487, "Request Terminated")]
    [InlineData(488, "Not Acceptable Here")]
    [InlineData(603, "Decline")]
    public async Task CalleesRefusal_ReachesTheCallerAndIsAcknowledgedHopByHop(int code, string reason)
    {
        var request = _alice.Invite("sip:bob@ims.example");
        await _alice.SendAsync(request);
        await _alice.ExpectAsync("SIP/2.0 100");
        var invite = await _bob.ExpectAsync("INVITE");
        await _bob.AnswerAsync(invite, code, reason);

        var ack = await _bob.ExpectAsync("ACK");
        Assert.Equal(invite["Via"], ack["Via"]);
        Assert.Single(ack.All("Via"));
        Assert.EndsWith(";tag=b1", ack["To"]);
        var refused = await _alice.ExpectAsync($"SIP/2.0 {code} {reason}");
        await _alice.SendAsync(Wic.Following(request, "ACK", refused["To"]));
        await _bob.AssertNothingAsync();
    }

    [Fact]
    public async Task UnknownIdentity_Is404() =>
        Assert.Equal("SIP/2.0 404 Not Found", (await _alice.AskAsync(_alice.Invite("sip:nobody@ims.example"))).StartLine);

    [Fact]
    public async Task OtherDomain_Is404() =>
        Assert.StartsWith("SIP/2.0 404", (await _alice.AskAsync(_alice.Invite("sip:bob@elsewhere.example"))).StartLine);

    [Fact]
    public async Task KnownButNotOnline_Is480() =>
        Assert.Equal("SIP/2.0 480 Temporarily Unavailable", (await _alice.AskAsync(_alice.Invite("sip:guest-1@ims.example"))).StartLine);

    [Fact]
    public async Task CancelOfNothing_Is481()
    {
        await _alice.SendAsync(Wic.Following(_alice.Invite("sip:bob@ims.example"), "CANCEL"));
        await _alice.ExpectAsync("SIP/2.0 481");
    }

    [Fact]
    [Requirement("RFC3261-16.7-5")]
    public async Task TwoPagesOfTheCallee_BothRing_TheOtherStopsWhenOneAnswers()
    {
        await using var second = await _app.RegisterAsync("bob");
        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example"));
        await _alice.ExpectAsync("SIP/2.0 100");
        var first = await _bob.ExpectAsync("INVITE");
        var other = await second.ExpectAsync("INVITE");
        Assert.NotEqual(first["Via"], other["Via"]);
        await _bob.AnswerAsync(first, 180, "Ringing", "b1");
        await second.AnswerAsync(other, 180, "Ringing", "b2");
        await _alice.ExpectAsync("SIP/2.0 180");
        await _alice.ExpectAsync("SIP/2.0 180");

        await second.AnswerAsync(other, 200, "OK", "b2");
        var ok = await _alice.ExpectAsync("SIP/2.0 200");
        Assert.EndsWith(";tag=b2", ok["To"]);
        var cancel = await _bob.ExpectAsync("CANCEL");
        Assert.Contains("cause=200", cancel["Reason"]);
        await _bob.AnswerAsync(cancel, 200, "OK");
        await _bob.AnswerAsync(first, 487, "Request Terminated");
        await _bob.ExpectAsync("ACK");

        await _alice.SendAsync(_alice.InDialog("ACK", ok));
        await second.ExpectAsync("ACK");
        await _alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-16.7-5")]
    public async Task TwoPagesAnswerAtOnce_BothAnswersReachTheCaller()
    {
        await using var second = await _app.RegisterAsync("bob");
        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example"));
        await _alice.ExpectAsync("SIP/2.0 100");
        var (first, other) = (await _bob.ExpectAsync("INVITE"), await second.ExpectAsync("INVITE"));
        await _bob.AnswerAsync(first, 200, "OK", "b1");
        var ok = await _alice.ExpectAsync("SIP/2.0 200");
        await second.AnswerAsync(other, 200, "OK", "b2");
        var late = await _alice.ExpectAsync("SIP/2.0 200");
        Assert.EndsWith(";tag=b2", late["To"]);

        // As JsSIP does: the first is taken, the other ended.
        await _alice.SendAsync(_alice.InDialog("ACK", ok));
        await _alice.SendAsync(_alice.InDialog("ACK", late));
        await _alice.SendAsync(_alice.InDialog("BYE", late));
        await _bob.ExpectAsync("ACK");
        await second.ExpectAsync("ACK");
        await second.AnswerAsync(await second.ExpectAsync("BYE"), 200, "OK");
        await _alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("RFC3262-4")]
    public async Task ReliableProvisionalAnswer_AndItsPrack_PassThrough()
    {
        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example", "Require: 100rel\r\n"));
        await _alice.ExpectAsync("SIP/2.0 100");
        var invite = await _bob.ExpectAsync("INVITE");
        Assert.Equal("100rel", invite["Require"]);
        await _bob.AnswerAsync(invite, 183, "Session Progress", extra: "Require: 100rel\r\nRSeq: 988789\r\n");
        var progress = await _alice.ExpectAsync("SIP/2.0 183");
        Assert.Equal(("100rel", "988789"), (progress["Require"], progress["RSeq"]));

        await _alice.SendAsync(_alice.InDialog("PRACK", progress, extra: "RAck: 988789 1 INVITE\r\n"));
        var prack = await _bob.ExpectAsync("PRACK");
        Assert.Equal("988789 1 INVITE", prack["RAck"]);
        await _bob.AnswerAsync(prack, 200, "OK");
        Assert.EndsWith("PRACK", (await _alice.ExpectAsync("SIP/2.0 200"))["CSeq"]);
    }

    [Fact]
    [Requirement("RFC3261-16.7-6")]
    public async Task OnlyAnswerIs503_CallerGets500_SinceThisServerIsWell()
    {
        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example"));
        await _alice.ExpectAsync("SIP/2.0 100");
        await _bob.AnswerAsync(await _bob.ExpectAsync("INVITE"), 503, "Service Unavailable", extra: "Retry-After: 3600\r\n");
        Assert.False((await _alice.ExpectAsync("SIP/2.0 500")).Has("Retry-After"));
    }

    [Fact]
    [Requirement("RFC3261-16.7-6")]
    public async Task AllPagesRefuse_TheBestAnswerWins()
    {
        await using var second = await _app.RegisterAsync("bob");
        await using var third = await _app.RegisterAsync("bob");
        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example"));
        await _alice.ExpectAsync("SIP/2.0 100");
        await _bob.AnswerAsync(await _bob.ExpectAsync("INVITE"), 503, "Service Unavailable");
        await second.AnswerAsync(await second.ExpectAsync("INVITE"), 480, "Temporarily Unavailable");
        await third.AnswerAsync(await third.ExpectAsync("INVITE"), 486, "Busy Here");

        await _alice.ExpectAsync("SIP/2.0 486");
    }

    [Fact]
    [Requirement("RFC3261-16.7-5")]
    public async Task OnePageDeclinesForAll_TheOthersStopRinging()
    {
        await using var second = await _app.RegisterAsync("bob");
        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example"));
        await _alice.ExpectAsync("SIP/2.0 100");
        var first = await _bob.ExpectAsync("INVITE");
        await _bob.AnswerAsync(first, 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");
        await second.AnswerAsync(await second.ExpectAsync("INVITE"), 603, "Decline");

        await _bob.AnswerAsync(await _bob.ExpectAsync("CANCEL"), 200, "OK");
        await _bob.AnswerAsync(first, 487, "Request Terminated");
        await _alice.ExpectAsync("SIP/2.0 603");
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
        await using var second = await _app.RegisterAsync("bob");
        await _alice.SendAsync(_alice.Request("MESSAGE", "sip:bob@ims.example"));
        var (first, last) = (await _bob.ExpectAsync("MESSAGE"), await second.ExpectAsync("MESSAGE"));
        await _bob.AnswerAsync(first, one, "Refused");
        await second.AnswerAsync(last, other, "Refused");
        await _alice.ExpectAsync($"SIP/2.0 {expected}");
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
    [InlineData("SUBSCRIBE")]
    [InlineData("UPDATE")]
    [Requirement("RFC3261-8.2.1")]
    public async Task StandardMethodToTheDomainItself_Is405(string method) =>
        Assert.Equal("SIP/2.0 405 Method Not Allowed", (await _alice.AskAsync(_alice.Request(method, "sip:ims.example"))).StartLine);

    [Fact]
    public async Task MessageOutsideOfACall_IsDelivered()
    {
        await _alice.SendAsync(_alice.Request("MESSAGE", "sip:bob@ims.example", body: "hello"));
        var message = await _bob.ExpectAsync("MESSAGE");
        Assert.Equal("hello", message.Body);
        Assert.False(message.Has("Record-Route"));
        await _bob.AnswerAsync(message, 200, "OK");
        await _alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    public async Task RequestsToTheDomainItself_AreAnsweredHere()
    {
        var options = await _alice.AskAsync(_alice.Request("OPTIONS", "sip:ims.example"));
        Assert.Equal("SIP/2.0 200 OK", options.StartLine);
        Assert.Contains("REGISTER", options["Allow"]);
        Assert.StartsWith("SIP/2.0 405", (await _alice.AskAsync(_alice.Request("SUBSCRIBE", "sip:ims.example"))).StartLine);
        Assert.StartsWith("SIP/2.0 501", (await _alice.AskAsync(_alice.Request("CONJURE", "sip:ims.example"))).StartLine);
    }

    /// <summary>A call between Alice and Bob that is up: the INVITE as Bob got it, the 200 as Alice did.</summary>
    private async Task<(Received Invite, Received Ok)> ConnectAsync()
    {
        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example"));
        await _alice.ExpectAsync("SIP/2.0 100");
        var invite = await _bob.ExpectAsync("INVITE");
        await _bob.AnswerAsync(invite, 200, "OK");
        var ok = await _alice.ExpectAsync("SIP/2.0 200");
        await _alice.SendAsync(_alice.InDialog("ACK", ok));
        await _bob.ExpectAsync("ACK");
        return (invite, ok);
    }
}
