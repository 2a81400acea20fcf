using Microsoft.Extensions.Time.Testing;
using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>What the proxy does when something does not happen, and with requests that go wrong.</summary>
public sealed class RoutingTests : AliceAndBob
{
    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));

    private protected override FakeTimeProvider ServerTime => _time;

    [Fact]
    [Requirement("RFC3261-16.8")]
    public async Task NobodyAnswers_TheCalleeStopsRinging_AndTheCallerGets408()
    {
        var (_, invite) = await RingAsync();

        _time.Advance(Branch.TimerC);
        await Bob.AnswerAsync(await Bob.ExpectAsync("CANCEL"), 200, "OK");
        await Bob.AnswerAsync(invite, 487, "Request Terminated");
        Assert.Equal("SIP/2.0 408 No Answer", (await Alice.ExpectAsync("SIP/2.0")).StartLine);
    }

    [Fact]
    [Requirement("RFC3261-16.7-2")]
    public async Task PhoneThatSaysThatItRings_MayRingOn()
    {
        var (_, invite) = await RingAsync();
        _time.Advance(Branch.TimerC - TimeSpan.FromSeconds(1));
        await Bob.AnswerAsync(invite, 180, "Ringing");
        await Alice.ExpectAsync("SIP/2.0 180");
        await HandledAsync();
        _time.Advance(Branch.TimerC - TimeSpan.FromSeconds(1));
        await Bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-16.6-11")]
    public async Task CalleeThatSays100AndNoMore_Is408AfterTimerC()
    {
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example"));
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        await HandledAsync();
        _time.Advance(TimeSpan.FromSeconds(20));
        await Bob.AnswerAsync(invite, 100, "Trying");
        await Bob.AssertNothingAsync();

        // A 100 does not start timer C again (RFC 3261 §16.7 step 2).
        _time.Advance(Branch.TimerC - TimeSpan.FromSeconds(20));
        await Bob.AnswerAsync(await Bob.ExpectAsync("CANCEL"), 200, "OK");
        await Bob.AnswerAsync(invite, 487, "Request Terminated");
        Assert.Equal("SIP/2.0 408 No Answer", (await Alice.ExpectAsync("SIP/2.0")).StartLine);
    }

    [Fact]
    [Requirement("RFC3261-16.8")]
    public async Task CalleeThatIgnoresTheCancelOfTimerC_IsGivenUpWith408()
    {
        await RingAsync();
        _time.Advance(Branch.TimerC);
        await Bob.ExpectAsync("CANCEL");
        _time.Advance(TimeSpan.FromSeconds(32));
        Assert.Equal("SIP/2.0 408 No Answer", (await Alice.ExpectAsync("SIP/2.0")).StartLine);
    }

    [Fact]
    [Requirement("RFC3261-16.8")]
    public async Task TimerC_DoesNotEndACallThatWasAnswered()
    {
        var (_, invite) = await RingAsync();
        await Bob.AnswerAsync(invite, 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");
        await HandledAsync();
        _time.Advance(Branch.TimerC);
        await Bob.AssertNothingAsync();
        await Alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-17.1.2")]
    public async Task RequestWithoutAResponse_Is408AfterTimerF()
    {
        await Alice.SendAsync(Alice.Request("MESSAGE", "sip:bob@ims.example"));
        await Bob.ExpectAsync("MESSAGE");
        await Alice.AssertNothingAsync();
        _time.Advance(TimeSpan.FromSeconds(32));
        Assert.EndsWith("MESSAGE", (await Alice.ExpectAsync("SIP/2.0 408"))["CSeq"]);
        Assert.Equal(0, App.Service<ProxiedRequests>().Count);
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task CalleeThatSaysNothing_AndACancel_Is487AfterTimerB()
    {
        var request = Alice.Invite("sip:bob@ims.example");
        await Alice.SendAsync(request);
        await Alice.ExpectAsync("SIP/2.0 100");
        await Bob.ExpectAsync("INVITE");
        await Alice.SendAsync(Wic.Following(request, "CANCEL"));
        await Alice.ExpectAsync("SIP/2.0 200");
        await HandledAsync();
        _time.Advance(TimeSpan.FromSeconds(32));
        await Alice.ExpectAsync("SIP/2.0 487");
        await Bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-9.2")]
    public async Task SecondCancel_Is200_AndTheCalleeGetsOneCancel()
    {
        var (request, invite) = await RingAsync();
        for (var i = 0; i < 2; i++)
        {
            await Alice.SendAsync(Wic.Following(request, "CANCEL"));
            Assert.EndsWith("CANCEL", (await Alice.ExpectAsync("SIP/2.0 200"))["CSeq"]);
        }
        await Bob.ExpectAsync("CANCEL");
        await Bob.AssertNothingAsync();
        await Bob.AnswerAsync(invite, 487, "Request Terminated");
        await Bob.ExpectAsync("ACK");
        await Alice.ExpectAsync("SIP/2.0 487");
    }

    [Fact]
    [Requirement("RFC3261-9.2")]
    [Requirement("RFC3261-16.10")]
    public async Task CancelOfAForkedCall_ReachesEveryDevice_AndTheCallerGetsOne487()
    {
        await using var second = await App.RegisterAsync("bob");
        var request = Alice.Invite("sip:bob@ims.example");
        await Alice.SendAsync(request);
        await Alice.ExpectAsync("SIP/2.0 100");
        List<(Wic Device, Received Invite)> devices =
            [(Bob, await Bob.ExpectAsync("INVITE")), (second, await second.ExpectAsync("INVITE"))];
        foreach (var (device, invite) in devices)
        {
            await device.AnswerAsync(invite, 180, "Ringing");
            await Alice.ExpectAsync("SIP/2.0 180");
        }

        await Alice.SendAsync(Wic.Following(request, "CANCEL"));
        await Alice.ExpectAsync("SIP/2.0 200");
        foreach (var (device, invite) in devices)
        {
            var cancel = await device.ExpectAsync("CANCEL");
            Assert.Equal((invite["Via"], invite["From"], invite["To"]), (cancel["Via"], cancel["From"], cancel["To"]));
            Assert.False(cancel.Has("Reason"));
            await device.AnswerAsync(cancel, 200, "OK");
            await device.AssertNothingAsync();
            await Alice.AssertNothingAsync();
            await device.AnswerAsync(invite, 487, "Request Terminated");
            await device.ExpectAsync("ACK");
        }
        await Alice.ExpectAsync("SIP/2.0 487");
        await Alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-17.1.1.2")]
    public async Task CalleeThatSaysNothingAtAll_Is408AfterTimerB()
    {
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example"));
        await Alice.ExpectAsync("SIP/2.0 100");
        await Bob.ExpectAsync("INVITE");
        await HandledAsync();
        _time.Advance(TimeSpan.FromSeconds(32));
        await Alice.ExpectAsync("SIP/2.0 408");
    }

    [Fact]
    [Requirement("RFC3261-9.1")]
    public async Task CalleeThatIgnoresTheCancel_IsGivenUp()
    {
        var (request, _) = await RingAsync();
        await Alice.SendAsync(Wic.Following(request, "CANCEL"));
        await Alice.ExpectAsync("SIP/2.0 200");
        await Bob.ExpectAsync("CANCEL");
        await HandledAsync();
        _time.Advance(TimeSpan.FromSeconds(32));
        await Alice.ExpectAsync("SIP/2.0 487");
    }

    [Fact]
    public async Task CallerWhoLeavesForGood_StopsTheRinging()
    {
        var (_, invite) = await RingAsync();
        await Alice.LoseConnectionAsync();
        _time.Advance(ConnectionLifetimes.Grace);
        var cancel = await Bob.ExpectAsync("CANCEL");
        Assert.Equal(invite["Call-ID"], cancel["Call-ID"]);
    }

    [Fact]
    public async Task CalleeWhoLeavesForGood_Is480()
    {
        await RingAsync();
        await Bob.LoseConnectionAsync();
        _time.Advance(ConnectionLifetimes.Grace);
        await Alice.ExpectAsync("SIP/2.0 480");
        Assert.StartsWith("SIP/2.0 480", (await Alice.AskAsync(Alice.Invite("sip:bob@ims.example"))).StartLine);
    }

    [Fact]
    [Requirement("RFC3261-16.3-3")]
    public async Task NoHopsLeft_Is483()
    {
        Assert.StartsWith(
            "SIP/2.0 483", (await Alice.AskAsync(Alice.Request("OPTIONS", "sip:bob@ims.example", maxForwards: 0))).StartLine);
        await Bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-16.3-4")]
    public async Task RequestThatCameBackUnchanged_Is482_AndARetargetedOneIsNot()
    {
        await Alice.SendAsync(Alice.Request("MESSAGE", "sip:bob@ims.example", callId: "loop"));
        var message = await Bob.ExpectAsync("MESSAGE");
        var ours = message.All("Via")[0];

        string Again(string uri) =>
            Alice.Request(
                "MESSAGE", uri, "sip:bob@ims.example", callId: "loop",
                cseq: int.Parse(message["CSeq"].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture))
            .Replace("Max-Forwards", $"Via: {ours}\r\nMax-Forwards", StringComparison.Ordinal);
        Assert.StartsWith("SIP/2.0 482", (await Alice.AskAsync(Again("sip:bob@ims.example"))).StartLine);
        await Alice.SendAsync(Again("sip:bob@ims.example;x=1"));
        await Bob.ExpectAsync("MESSAGE");
    }

    [Fact]
    [Requirement("RFC3261-16.3-5")]
    public async Task ProxyRequire_Is420WithTheNames()
    {
        var refusal = await Alice.AskAsync(Alice.Request("OPTIONS", "sip:bob@ims.example", extra: "Proxy-Require: foo, bar\r\n"));
        Assert.Equal(("SIP/2.0 420 Bad Extension", "foo, bar"), (refusal.StartLine, refusal["Unsupported"]));
    }

    [Theory]
    [InlineData("tel:7042;phone-context=another.example")]
    [InlineData("nobodyKnowsThisScheme:totallyopaquecontent")]
    [Requirement("RFC3261-16.3-2")]
    public async Task OtherScheme_Is416(string uri) =>
        Assert.StartsWith("SIP/2.0 416", (await Alice.AskAsync(Alice.Request("OPTIONS", uri, "sip:bob@ims.example"))).StartLine);

    [Fact]
    public async Task ServiceRoute_MayBeUsed_AnyOtherRouteNot()
    {
        await Alice.SendAsync(
            Alice.Request("OPTIONS", "sip:bob@ims.example", extra: "Route: <sip:orig@epcscf.ims.example;transport=ws;lr>\r\n"));
        Assert.False((await Bob.ExpectAsync("OPTIONS")).Has("Route"));
        Assert.StartsWith(
            "SIP/2.0 403",
            (await Alice.AskAsync(Alice.Request("OPTIONS", "sip:bob@ims.example", extra: "Route: <sip:10.0.0.1;lr>\r\n"))).StartLine);
    }

    [Fact]
    [Requirement("RFC8898-2.2")]
    public async Task BadTokenInANewRequest_Is401_AndAGoodOneGoesOn()
    {
        var refused = await Alice.AskAsync(Alice.Invite("sip:bob@ims.example", "Authorization: Bearer nonsense\r\n"));
        Assert.StartsWith("SIP/2.0 401", refused.StartLine);
        Assert.EndsWith("error=\"invalid_token\"", refused["WWW-Authenticate"]);
        await Bob.AssertNothingAsync();
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example", $"Authorization: Bearer {Alice.Token}\r\n"));
        await Bob.ExpectAsync("INVITE");
    }

    [Fact]
    [Requirement("RFC6026-7.2")]
    public async Task Repeated200_ReachesTheCallerAgain()
    {
        var (_, invite) = await RingAsync();
        await Bob.AnswerAsync(invite, 200, "OK");
        await Bob.AnswerAsync(invite, 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");
        await Alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    public async Task CallThatIsOver_LeavesNothingBehind()
    {
        var (request, invite) = await RingAsync();
        await Bob.AnswerAsync(invite, 486, "Busy Here");
        await Bob.ExpectAsync("ACK");
        await Alice.ExpectAsync("SIP/2.0 486");
        await Alice.SendAsync(Wic.Following(request, "ACK"));
        await Alice.AssertNothingAsync();
        await Bob.AssertNothingAsync();

        Assert.Equal(0, App.Service<Transactions.TransactionTable>().Count);
        Assert.Equal(0, App.Service<ProxiedRequests>().Count);
        Assert.Equal(2, App.Service<Flows>().Count);
    }
}
