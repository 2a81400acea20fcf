using Microsoft.Extensions.Time.Testing;
using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>What the proxy does when something does not happen, and with requests that go wrong.</summary>
public sealed class RoutingTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));
    private EpCscfApp _app = null!;
    private Wic _alice = null!;
    private Wic _bob = null!;

    public async ValueTask InitializeAsync()
    {
        _app = EpCscfApp.Start(_time);
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
    [Requirement("RFC3261-16.8")]
    public async Task NobodyAnswers_TheCalleeStopsRinging_AndTheCallerGets408()
    {
        var (_, invite) = await RingAsync();

        _time.Advance(Branch.TimerC);
        await _bob.AnswerAsync(await _bob.ExpectAsync("CANCEL"), 200, "OK");
        await _bob.AnswerAsync(invite, 487, "Request Terminated");
        Assert.Equal("SIP/2.0 408 No Answer", (await _alice.ExpectAsync("SIP/2.0")).StartLine);
    }

    [Fact]
    [Requirement("RFC3261-16.7-2")]
    public async Task PhoneThatSaysThatItRings_MayRingOn()
    {
        var (_, invite) = await RingAsync();
        _time.Advance(Branch.TimerC - TimeSpan.FromSeconds(1));
        await _bob.AnswerAsync(invite, 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");
        _time.Advance(Branch.TimerC - TimeSpan.FromSeconds(1));
        await _bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-16.6-11")]
    public async Task CalleeThatSays100AndNoMore_Is408AfterTimerC()
    {
        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example"));
        await _alice.ExpectAsync("SIP/2.0 100");
        var invite = await _bob.ExpectAsync("INVITE");
        _time.Advance(TimeSpan.FromSeconds(20));
        await _bob.AnswerAsync(invite, 100, "Trying");
        await _bob.AssertNothingAsync();

        // A 100 does not start timer C again (RFC 3261 §16.7 step 2).
        _time.Advance(Branch.TimerC - TimeSpan.FromSeconds(20));
        await _bob.AnswerAsync(await _bob.ExpectAsync("CANCEL"), 200, "OK");
        await _bob.AnswerAsync(invite, 487, "Request Terminated");
        Assert.Equal("SIP/2.0 408 No Answer", (await _alice.ExpectAsync("SIP/2.0")).StartLine);
    }

    [Fact]
    [Requirement("RFC3261-16.8")]
    public async Task CalleeThatIgnoresTheCancelOfTimerC_IsGivenUpWith408()
    {
        await RingAsync();
        _time.Advance(Branch.TimerC);
        await _bob.ExpectAsync("CANCEL");
        _time.Advance(TimeSpan.FromSeconds(32));
        Assert.Equal("SIP/2.0 408 No Answer", (await _alice.ExpectAsync("SIP/2.0")).StartLine);
    }

    [Fact]
    [Requirement("RFC3261-16.8")]
    public async Task TimerC_DoesNotEndACallThatWasAnswered()
    {
        var (_, invite) = await RingAsync();
        await _bob.AnswerAsync(invite, 200, "OK");
        await _alice.ExpectAsync("SIP/2.0 200");
        _time.Advance(Branch.TimerC);
        await _bob.AssertNothingAsync();
        await _alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-17.1.2")]
    public async Task RequestWithoutAResponse_Is408AfterTimerF()
    {
        await _alice.SendAsync(_alice.Request("MESSAGE", "sip:bob@ims.example"));
        await _bob.ExpectAsync("MESSAGE");
        await _alice.AssertNothingAsync();
        _time.Advance(TimeSpan.FromSeconds(32));
        Assert.EndsWith("MESSAGE", (await _alice.ExpectAsync("SIP/2.0 408"))["CSeq"]);
        Assert.Equal(0, _app.Service<ProxiedRequests>().Count);
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task CalleeThatSaysNothing_AndACancel_Is487AfterTimerB()
    {
        var request = _alice.Invite("sip:bob@ims.example");
        await _alice.SendAsync(request);
        await _alice.ExpectAsync("SIP/2.0 100");
        await _bob.ExpectAsync("INVITE");
        await _alice.SendAsync(Wic.Following(request, "CANCEL"));
        await _alice.ExpectAsync("SIP/2.0 200");
        _time.Advance(TimeSpan.FromSeconds(32));
        await _alice.ExpectAsync("SIP/2.0 487");
        await _bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-9.2")]
    public async Task SecondCancel_Is200_AndTheCalleeGetsOneCancel()
    {
        var (request, invite) = await RingAsync();
        for (var i = 0; i < 2; i++)
        {
            await _alice.SendAsync(Wic.Following(request, "CANCEL"));
            Assert.EndsWith("CANCEL", (await _alice.ExpectAsync("SIP/2.0 200"))["CSeq"]);
        }
        await _bob.ExpectAsync("CANCEL");
        await _bob.AssertNothingAsync();
        await _bob.AnswerAsync(invite, 487, "Request Terminated");
        await _bob.ExpectAsync("ACK");
        await _alice.ExpectAsync("SIP/2.0 487");
    }

    [Fact]
    [Requirement("RFC3261-9.2")]
    [Requirement("RFC3261-16.10")]
    public async Task CancelOfAForkedCall_ReachesEveryDevice_AndTheCallerGetsOne487()
    {
        await using var second = await _app.RegisterAsync("bob");
        var request = _alice.Invite("sip:bob@ims.example");
        await _alice.SendAsync(request);
        await _alice.ExpectAsync("SIP/2.0 100");
        List<(Wic Device, Received Invite)> devices =
            [(_bob, await _bob.ExpectAsync("INVITE")), (second, await second.ExpectAsync("INVITE"))];
        foreach (var (device, invite) in devices)
        {
            await device.AnswerAsync(invite, 180, "Ringing");
            await _alice.ExpectAsync("SIP/2.0 180");
        }

        await _alice.SendAsync(Wic.Following(request, "CANCEL"));
        await _alice.ExpectAsync("SIP/2.0 200");
        foreach (var (device, invite) in devices)
        {
            var cancel = await device.ExpectAsync("CANCEL");
            Assert.Equal((invite["Via"], invite["From"], invite["To"]), (cancel["Via"], cancel["From"], cancel["To"]));
            Assert.False(cancel.Has("Reason"));
            await device.AnswerAsync(cancel, 200, "OK");
            await _alice.AssertNothingAsync();
            await device.AnswerAsync(invite, 487, "Request Terminated");
            await device.ExpectAsync("ACK");
        }
        await _alice.ExpectAsync("SIP/2.0 487");
        await _alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-17.1.1.2")]
    public async Task CalleeThatSaysNothingAtAll_Is408AfterTimerB()
    {
        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example"));
        await _alice.ExpectAsync("SIP/2.0 100");
        await _bob.ExpectAsync("INVITE");
        _time.Advance(TimeSpan.FromSeconds(32));
        await _alice.ExpectAsync("SIP/2.0 408");
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task CalleeThatIgnoresTheCancel_IsGivenUp()
    {
        var (request, _) = await RingAsync();
        await _alice.SendAsync(Wic.Following(request, "CANCEL"));
        await _alice.ExpectAsync("SIP/2.0 200");
        await _bob.ExpectAsync("CANCEL");
        _time.Advance(TimeSpan.FromSeconds(32));
        await _alice.ExpectAsync("SIP/2.0 487");
    }

    [Fact]
    public async Task CallerWhoLeavesForGood_StopsTheRinging()
    {
        var (_, invite) = await RingAsync();
        await _alice.LoseConnectionAsync();
        _time.Advance(ConnectionLifetimes.Grace);
        var cancel = await _bob.ExpectAsync("CANCEL");
        Assert.Equal(invite["Call-ID"], cancel["Call-ID"]);
    }

    [Fact]
    public async Task CalleeWhoLeavesForGood_Is480()
    {
        await RingAsync();
        await _bob.LoseConnectionAsync();
        _time.Advance(ConnectionLifetimes.Grace);
        await _alice.ExpectAsync("SIP/2.0 480");
        Assert.StartsWith("SIP/2.0 480", (await _alice.AskAsync(_alice.Invite("sip:bob@ims.example"))).StartLine);
    }

    [Fact]
    [Requirement("RFC3261-16.3-3")]
    public async Task NoHopsLeft_Is483()
    {
        Assert.StartsWith(
            "SIP/2.0 483", (await _alice.AskAsync(_alice.Request("OPTIONS", "sip:bob@ims.example", maxForwards: 0))).StartLine);
        await _bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-16.3-4")]
    public async Task RequestThatCameBackUnchanged_Is482_AndARetargetedOneIsNot()
    {
        await _alice.SendAsync(_alice.Request("MESSAGE", "sip:bob@ims.example", callId: "loop"));
        var message = await _bob.ExpectAsync("MESSAGE");
        var ours = message.All("Via")[0];

        string Again(string uri) =>
            _alice.Request(
                "MESSAGE", uri, "sip:bob@ims.example", callId: "loop",
                cseq: int.Parse(message["CSeq"].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture))
            .Replace("Max-Forwards", $"Via: {ours}\r\nMax-Forwards", StringComparison.Ordinal);
        Assert.StartsWith("SIP/2.0 482", (await _alice.AskAsync(Again("sip:bob@ims.example"))).StartLine);
        await _alice.SendAsync(Again("sip:bob@ims.example;x=1"));
        await _bob.ExpectAsync("MESSAGE");
    }

    [Fact]
    [Requirement("RFC3261-16.3-5")]
    public async Task ProxyRequire_Is420WithTheNames()
    {
        var refusal = await _alice.AskAsync(_alice.Request("OPTIONS", "sip:bob@ims.example", extra: "Proxy-Require: foo, bar\r\n"));
        Assert.Equal(("SIP/2.0 420 Bad Extension", "foo, bar"), (refusal.StartLine, refusal["Unsupported"]));
    }

    [Theory]
    [InlineData("tel:+4912345")]
    [InlineData("nobodyKnowsThisScheme:totallyopaquecontent")]
    [Requirement("RFC3261-16.3-2")]
    public async Task OtherScheme_Is416(string uri) =>
        Assert.StartsWith("SIP/2.0 416", (await _alice.AskAsync(_alice.Request("OPTIONS", uri, "sip:bob@ims.example"))).StartLine);

    [Fact]
    public async Task ServiceRoute_MayBeUsed_AnyOtherRouteNot()
    {
        await _alice.SendAsync(
            _alice.Request("OPTIONS", "sip:bob@ims.example", extra: "Route: <sip:orig@epcscf.ims.example;transport=ws;lr>\r\n"));
        Assert.False((await _bob.ExpectAsync("OPTIONS")).Has("Route"));
        Assert.StartsWith(
            "SIP/2.0 403",
            (await _alice.AskAsync(_alice.Request("OPTIONS", "sip:bob@ims.example", extra: "Route: <sip:10.0.0.1;lr>\r\n"))).StartLine);
    }

    [Fact]
    [Requirement("RFC8898-2.2")]
    public async Task BadTokenInANewRequest_Is401_AndAGoodOneGoesOn()
    {
        var refused = await _alice.AskAsync(_alice.Invite("sip:bob@ims.example", "Authorization: Bearer nonsense\r\n"));
        Assert.StartsWith("SIP/2.0 401", refused.StartLine);
        Assert.EndsWith("error=\"invalid_token\"", refused["WWW-Authenticate"]);
        await _bob.AssertNothingAsync();
        await _alice.SendAsync(_alice.Invite("sip:bob@ims.example", $"Authorization: Bearer {_alice.Token}\r\n"));
        await _bob.ExpectAsync("INVITE");
    }

    [Fact]
    [Requirement("RFC6026-7.2")]
    public async Task Repeated200_ReachesTheCallerAgain()
    {
        var (_, invite) = await RingAsync();
        await _bob.AnswerAsync(invite, 200, "OK");
        await _bob.AnswerAsync(invite, 200, "OK");
        await _alice.ExpectAsync("SIP/2.0 200");
        await _alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    public async Task CallThatIsOver_LeavesNothingBehind()
    {
        var (request, invite) = await RingAsync();
        await _bob.AnswerAsync(invite, 486, "Busy Here");
        await _bob.ExpectAsync("ACK");
        await _alice.ExpectAsync("SIP/2.0 486");
        await _alice.SendAsync(Wic.Following(request, "ACK"));
        await _alice.AssertNothingAsync();
        await _bob.AssertNothingAsync();

        Assert.Equal(0, _app.Service<Transactions.TransactionTable>().Count);
        Assert.Equal(0, _app.Service<ProxiedRequests>().Count);
        Assert.Equal(2, _app.Service<Flows>().Count);
    }

    private async Task<(string Request, Received Invite)> RingAsync()
    {
        var request = _alice.Invite("sip:bob@ims.example");
        await _alice.SendAsync(request);
        await _alice.ExpectAsync("SIP/2.0 100");
        var invite = await _bob.ExpectAsync("INVITE");
        await _bob.AnswerAsync(invite, 180, "Ringing");
        await _alice.ExpectAsync("SIP/2.0 180");
        return (request, invite);
    }
}
