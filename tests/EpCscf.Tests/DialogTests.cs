using Microsoft.Extensions.Time.Testing;
using WebRtcIms.EpCscf.Routing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>Requests and responses in dialogues that are forged, replayed, or from the wrong side.</summary>
public sealed class DialogTests : AliceAndBob
{
    private const string NoDialog = "SIP/2.0 481 Call/Transaction Does Not Exist";

    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));

    private protected override FakeTimeProvider ServerTime => _time;

    private protected override (string Key, string Value)[] Settings =>
        [("EpCscf:Limits:MessagesPerSecond", "1000"), ("EpCscf:Limits:DialogRequestsPerMinute", "60")];

    public static TheoryData<string> Methods => ["INVITE", "BYE", "INFO", "UPDATE", "MESSAGE", "REFER", "NOTIFY", "PRACK", "CONJURE"];

    /// <summary>What a request in a call is changed to, and the refusal.</summary>
    public static TheoryData<string, string, string> Forgeries => new()
    {
        { "Call-ID: ", "Call-ID: another-", NoDialog },
        { "From: \"alice\" <sip:alice@ims.example>;tag=a1", "From: \"alice\" <sip:alice@ims.example>;tag=a2", NoDialog },
        { "From: \"alice\" <sip:alice@ims.example>;tag=a1", "From: <sip:alice@ims.example>", NoDialog },
        { "To: <sip:bob@ims.example>;tag=b1", "To: <sip:bob@ims.example>;tag=b2", NoDialog },
        { "To: <sip:bob@ims.example>;tag=b1", "To: <sip:bob@ims.example>;tag=a1", NoDialog },
        { "From: \"alice\" <sip:alice@ims.example>", "From: \"Bob\" <sip:bob@ims.example>", "SIP/2.0 403 Forbidden: From" },
        { "From: \"alice\" <sip:alice@ims.example>", "From: <sip:boss@ims.example>", "SIP/2.0 403 Forbidden: From" },
        { "From: \"alice\" <sip:alice@ims.example>", "From: <sip:alice@other.example>", "SIP/2.0 403 Forbidden: From" },
        { "From: \"alice\" <sip:alice@ims.example>", "From: \"sip:alice@ims.example\" <tel:+491>", "SIP/2.0 403 Forbidden: From" },
        { "<sip:alice@ims.example>;tag=a1", "<sip:alice@ims.example;verstat=TN-Validation-Passed>;tag=a1", "SIP/2.0 403 Forbidden: From" },
        { "Route: ", "X-Route: ", NoDialog },
        { "Route: ", "Route: <sip:orig@epcscf.ims.example;transport=ws;lr>, ", NoDialog },
        { "lr>", "lr>, <sip:10.0.0.1;lr>", "SIP/2.0 403 Forbidden: no route" },
    };

    [Theory]
    [MemberData(nameof(Forgeries))]
    [Requirement("SEC-8")]
    [Requirement("RFC5626-5.2")]
    public async Task ForgedRequestOfTheCaller_ReachesNobody(string original, string forged, string refusal)
    {
        var (_, ok) = await CallAsync();
        foreach (var method in Methods.Select(row => row.Data))
        {
            var request = Alice.InDialog(method, ok);
            Assert.Contains(original, request);
            Assert.StartsWith(refusal, (await Alice.AskAsync(request.Replace(original, forged, StringComparison.Ordinal))).StartLine);
        }

        // An ACK has no response.
        await Alice.SendAsync(Alice.InDialog("ACK", ok).Replace(original, forged, StringComparison.Ordinal));
        await Alice.AssertNothingAsync();
        await Bob.AssertNothingAsync();
    }

    [Theory]
    [InlineData("Call-ID: ", "Call-ID: another-", NoDialog)]
    [InlineData("To: \"alice\" <sip:alice@ims.example>;tag=a1", "To: \"alice\" <sip:alice@ims.example>;tag=a2", NoDialog)]
    [InlineData("To: \"alice\" <sip:alice@ims.example>;tag=a1", "To: \"alice\" <sip:alice@ims.example>;tag=b1", NoDialog)]
    [InlineData("From: <sip:bob@ims.example>", "From: \"Alice\" <sip:alice@ims.example>", "SIP/2.0 403 Forbidden: From")]
    [InlineData("From: <sip:bob@ims.example>", "From: <sip:guest-1@ims.example>", "SIP/2.0 403 Forbidden: From")]
    [Requirement("SEC-8")]
    public async Task ForgedRequestOfTheCallee_ReachesNobody(string original, string forged, string refusal)
    {
        var (invite, _) = await CallAsync();
        foreach (var method in Methods.Select(row => row.Data))
        {
            var request = Bob.InDialog(method, invite: invite);
            Assert.Contains(original, request);
            Assert.StartsWith(refusal, (await Bob.AskAsync(request.Replace(original, forged, StringComparison.Ordinal))).StartLine);
        }

        await Bob.AssertNothingAsync();
        await Alice.AssertNothingAsync();
    }

    [Theory]
    [MemberData(nameof(Methods))]
    [Requirement("SEC-8")]
    public async Task TokenOfAnotherFlow_IsWorthNothing(string method)
    {
        await using var other = await App.RegisterAsync("alice");
        await using var guest = await App.RegisterAsync("guest-1");
        var (invite, ok) = await CallAsync();

        foreach (var sender in (Wic[])[other, guest])
        {
            Assert.StartsWith(NoDialog, (await sender.AskAsync(sender.InDialog(method, ok))).StartLine);
            Assert.StartsWith(NoDialog, (await sender.AskAsync(sender.InDialog(method, invite: invite))).StartLine);
        }

        // Each end only has its own token.
        var (ofAlice, ofBob) = (ok["Record-Route"], invite["Record-Route"]);
        Assert.NotEqual(ofAlice, ofBob);
        Assert.StartsWith(NoDialog, (await Alice.AskAsync(
            Alice.InDialog(method, ok).Replace(ofAlice, ofBob, StringComparison.Ordinal))).StartLine);
        Assert.StartsWith(NoDialog, (await Bob.AskAsync(
            Bob.InDialog(method, invite: invite).Replace(ofBob, ofAlice, StringComparison.Ordinal))).StartLine);
        var withoutTag = Alice.InDialog(method, ok).Replace(";tag=b1", ";tag=", StringComparison.Ordinal);
        Assert.DoesNotContain(
            "SIP/2.0 200", (await Alice.AskAsync(withoutTag.Replace(ofAlice, ofBob, StringComparison.Ordinal))).StartLine);
        await Alice.AssertNothingAsync();
        await Bob.AssertNothingAsync();
    }

    [Theory]
    [MemberData(nameof(Methods))]
    [Requirement("SEC-8")]
    public async Task CallThatWasDeclined_LeavesNoWayToEitherSide(string method)
    {
        var (_, invite) = await RingAsync();
        await Bob.AnswerAsync(invite, 183, "Session Progress");
        var early = await Alice.ExpectAsync("SIP/2.0 183");
        await Bob.AnswerAsync(invite, 603, "Decline");
        await Bob.ExpectAsync("ACK");
        var declined = await Alice.ExpectAsync("SIP/2.0 603");

        Assert.False(declined.Has("Record-Route"));
        Assert.StartsWith(NoDialog, (await Alice.AskAsync(Alice.InDialog(method, early))).StartLine);
        Assert.StartsWith(NoDialog, (await Bob.AskAsync(Bob.InDialog(method, invite: invite))).StartLine);
        await Alice.AssertNothingAsync();
        await Bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("SEC-8")]
    public async Task CallThatWasCancelled_LeavesNoWay()
    {
        var (request, invite) = await RingAsync();
        await Alice.SendAsync(Wic.Following(request, "CANCEL"));
        await Alice.ExpectAsync("SIP/2.0 200");
        await Bob.AnswerAsync(await Bob.ExpectAsync("CANCEL"), 200, "OK");
        await Bob.AnswerAsync(invite, 487, "Request Terminated");
        await Bob.ExpectAsync("ACK");
        await Alice.ExpectAsync("SIP/2.0 487");

        Assert.StartsWith(NoDialog, (await Bob.AskAsync(Bob.InDialog("MESSAGE", invite: invite))).StartLine);
    }

    [Theory]
    [InlineData(200, true)]
    [InlineData(481, true)]
    [InlineData(408, true)]
    [InlineData(500, false)]
    [InlineData(401, false)]
    [Requirement("RFC3261-15.1.1")]
    [Requirement("SEC-8")]
    public async Task Bye_EndsTheTokensOfBothSides_ButItsSenderMayTryAgain(int answer, bool ends)
    {
        var (invite, ok) = await CallAsync();
        await Alice.SendAsync(Alice.InDialog("BYE", ok));
        await Bob.AnswerAsync(await Bob.ExpectAsync("BYE"), answer, "Answer");
        await Alice.ExpectAsync($"SIP/2.0 {answer}");

        await Alice.SendAsync(Alice.InDialog("BYE", ok));
        if (!ends) await Bob.ExpectAsync("BYE");
        else await Alice.ExpectAsync(NoDialog);
        Assert.StartsWith(NoDialog, (await Bob.AskAsync(Bob.InDialog("MESSAGE", invite: invite))).StartLine);
        await Alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("RFC3261-15.1.1")]
    [Requirement("SEC-8")]
    public async Task ByeWithoutAnAnswer_EndsBothTokens()
    {
        var (invite, ok) = await CallAsync();
        await Bob.SendAsync(Bob.InDialog("BYE", invite: invite));
        await Alice.ExpectAsync("BYE");
        Assert.StartsWith(NoDialog, (await Alice.AskAsync(Alice.InDialog("MESSAGE", ok))).StartLine);
        _time.Advance(TimeSpan.FromSeconds(32));
        await Bob.ExpectAsync("SIP/2.0 408");
        Assert.StartsWith(NoDialog, (await Bob.AskAsync(Bob.InDialog("MESSAGE", invite: invite))).StartLine);
        await Alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("SEC-8")]
    public async Task OtherCallsOfTheSamePair_GoOn()
    {
        var (_, first) = await CallAsync();
        var (_, second) = await CallAsync();
        await Alice.SendAsync(Alice.InDialog("BYE", first));
        await Bob.AnswerAsync(await Bob.ExpectAsync("BYE"), 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");

        await Alice.SendAsync(Alice.InDialog("INFO", second));
        await Bob.ExpectAsync("INFO");
    }

    [Fact]
    [Requirement("RFC4028-6")]
    [Requirement("SEC-8")]
    public async Task CallThatIsTriedAgainWithItsCallId_IsAnotherDialog()
    {
        var request = Alice.Invite("sip:bob@ims.example", callId: "again");
        await Alice.SendAsync(request);
        await Alice.ExpectAsync("SIP/2.0 100");
        await Bob.AnswerAsync(await Bob.ExpectAsync("INVITE"), 422, "Session Interval Too Small");
        await Bob.ExpectAsync("ACK");
        var refused = await Alice.ExpectAsync("SIP/2.0 422");
        await Alice.SendAsync(Wic.Following(request, "ACK", refused["To"]));

        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example", callId: "again"));
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        await Bob.AnswerAsync(invite, 200, "OK");
        await Alice.SendAsync(Alice.InDialog("BYE", await Alice.ExpectAsync("SIP/2.0 200")));
        await Bob.ExpectAsync("BYE");
    }

    [Fact]
    [Requirement("RFC3261-13.2.2.4")]
    [Requirement("SEC-8")]
    public async Task TokenOfACallThatRings_IsShort_AndTheAnswerHasALongOne()
    {
        var (_, invite) = await RingAsync();
        await Bob.AnswerAsync(invite, 180, "Ringing");
        var early = await Alice.ExpectAsync("SIP/2.0 180");
        await Bob.AnswerAsync(invite, 200, "OK");
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        Assert.NotEqual(early["Record-Route"], ok["Record-Route"]);
        await Alice.SendAsync(Alice.InDialog("PRACK", early));
        await Bob.AnswerAsync(await Bob.ExpectAsync("PRACK"), 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");

        _time.Advance(RouteTokens.EarlyLifetime - TimeSpan.FromMinutes(1));
        await RegisterAgainAsync();
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.StartsWith(NoDialog, (await Alice.AskAsync(Alice.InDialog("PRACK", early))).StartLine);
        await Alice.SendAsync(Alice.InDialog("INFO", ok));
        await Bob.ExpectAsync("INFO");
    }

    [Fact]
    [Requirement("SEC-8")]
    public async Task LongestCall_IsADay_AndThenItsTokensAreWorthNothing()
    {
        var (invite, ok) = await CallAsync();
        var end = _time.GetUtcNow() + RouteTokens.Lifetime;
        while (_time.GetUtcNow() + TimeSpan.FromMinutes(9) < end)
        {
            _time.Advance(TimeSpan.FromMinutes(9));
            await RegisterAgainAsync();
        }

        _time.Advance(end - _time.GetUtcNow() - TimeSpan.FromSeconds(1));
        await Alice.SendAsync(Alice.InDialog("INFO", ok));
        await Bob.ExpectAsync("INFO");
        await Bob.SendAsync(Bob.InDialog("INFO", invite: invite));
        await Alice.ExpectAsync("INFO");

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.StartsWith(NoDialog, (await Alice.AskAsync(Alice.InDialog("INFO", ok))).StartLine);
        Assert.StartsWith(NoDialog, (await Bob.AskAsync(Bob.InDialog("BYE", invite: invite))).StartLine);
    }

    [Theory]
    [InlineData("OPTIONS")]
    [InlineData("MESSAGE")]
    [InlineData("INFO")]
    [InlineData("PUBLISH")]
    [InlineData("CONJURE")]
    [Requirement("RFC3261-16.6-4")]
    [Requirement("SEC-8")]
    public async Task RequestThatBeginsNoDialog_GivesNoToken(string method)
    {
        await Alice.SendAsync(Alice.Request(method, "sip:bob@ims.example"));
        var request = await Bob.ExpectAsync(method);
        Assert.False(request.Has("Record-Route"));
        await Bob.AnswerAsync(request, 200, "OK", extra: "Record-Route: <sip:forged@epcscf.ims.example;lr>\r\n");
        Assert.False((await Alice.ExpectAsync("SIP/2.0 200")).Has("Record-Route"));
    }

    [Theory]
    [InlineData("SUBSCRIBE")]
    [InlineData("REFER")]
    [Requirement("RFC6665-4.4.1")]
    [Requirement("SEC-8")]
    public async Task Subscription_IsADialogToo(string method)
    {
        await Alice.SendAsync(Alice.Request(method, "sip:bob@ims.example", extra: $"Contact: <{Alice.Contact}>\r\n"));
        var request = await Bob.ExpectAsync(method);
        await Bob.AnswerAsync(request, 202, "Accepted");
        var accepted = await Alice.ExpectAsync("SIP/2.0 202");
        var notify = Bob.InDialog("NOTIFY", invite: request, extra: "Event: refer\r\n");
        await Bob.SendAsync(notify);
        await Alice.AnswerAsync(await Alice.ExpectAsync("NOTIFY"), 200, "OK");
        await Bob.ExpectAsync("SIP/2.0 200");
        await Alice.SendAsync(Alice.InDialog("SUBSCRIBE", accepted));
        await Bob.ExpectAsync("SUBSCRIBE");
    }

    [Fact]
    [Requirement("SEC-8")]
    public async Task RecordRouteOfAPage_IsReplaced()
    {
        const string forged = "Record-Route: <sip:forged.example;lr>\r\n";
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example", forged));
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        await Bob.AnswerAsync(invite, 200, "OK", extra: forged);
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        await Alice.SendAsync(Alice.InDialog("UPDATE", ok, extra: forged));
        var update = await Bob.ExpectAsync("UPDATE");
        await Bob.AnswerAsync(update, 200, "OK", extra: forged);
        var updated = await Alice.ExpectAsync("SIP/2.0 200");

        Assert.Single(invite.All("Record-Route"));
        Assert.Single(ok.All("Record-Route"));
        Assert.Empty(update.All("Record-Route").Concat(updated.All("Record-Route")));
        Assert.DoesNotContain("forged.example", invite.Text + ok.Text);
    }

    [Fact]
    [Requirement("RFC3325-5")]
    [Requirement("SEC-8")]
    public async Task SenderInACall_IsNamedByThisServerAlone()
    {
        const string forged = "P-Asserted-Identity: <sip:boss@ims.example>\r\nP-Preferred-Identity: <sip:sales@ims.example>\r\n";
        var (invite, ok) = await CallAsync();
        await Alice.SendAsync(Alice.InDialog("INVITE", ok, extra: forged));
        await Alice.ExpectAsync("SIP/2.0 100");
        Assert.Equal(["<sip:alice@ims.example>"], (await Bob.ExpectAsync("INVITE")).All("P-Asserted-Identity"));
        await Bob.SendAsync(Bob.InDialog("INFO", invite: invite, extra: forged));
        Assert.Equal(["<sip:bob@ims.example>"], (await Alice.ExpectAsync("INFO")).All("P-Asserted-Identity"));
        await Alice.SendAsync(Alice.InDialog("ACK", ok, extra: forged));
        Assert.Empty((await Bob.ExpectAsync("ACK")).All("P-Asserted-Identity"));
    }

    [Theory]
    [InlineData("<sip:anonymous@anonymous.invalid>", "Privacy: id\r\n", null)]
    [InlineData("<sip:anonymous@anonymous.invalid>", "", null)]
    [InlineData("<sip:alice@ims.example>", "Privacy: id\r\n", null)]
    [InlineData("<sip:sales@ims.example>", "", "<sip:sales@ims.example>")]
    [Requirement("RFC3325-9.1")]
    [Requirement("SEC-8")]
    public async Task CallerWhoAskedForPrivacyOnce_IsNotNamedLater(string from, string privacy, string? asserted)
    {
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example", privacy, from));
        await Alice.ExpectAsync("SIP/2.0 100");
        await Bob.AnswerAsync(await Bob.ExpectAsync("INVITE"), 200, "OK");
        await Alice.SendAsync(Alice.InDialog("BYE", await Alice.ExpectAsync("SIP/2.0 200")));
        Assert.Equal(asserted is null ? [] : [asserted], (await Bob.ExpectAsync("BYE")).All("P-Asserted-Identity"));
    }

    [Theory]
    [InlineData("sip:bob@ims.example", "<sip:bob@ims.example>")]
    [InlineData("sip:%62ob@IMS.example;user=phone", "<sip:bob@ims.example>")]
    [InlineData("sip:bob@ims.example;verstat=x", "<sip:bob@ims.example>")]
    [InlineData("tel:+4912345", null)]
    [InlineData("sip:boss@elsewhere.example", null)]
    [Requirement("RFC3261-12.2.1.1")]
    [Requirement("SEC-8")]
    public async Task Callee_MaySendAsWhomTheCallerNamed(string to, string? asserted)
    {
        await Alice.SendAsync(Alice.Invite(to, uri: "sip:bob@ims.example"));
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        await Bob.AnswerAsync(invite, 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");

        var bye = Bob.InDialog("BYE", invite: invite);
        Assert.Contains($"From: <{to}>;tag=b1", bye);
        var other = bye.Replace($"From: <{to}>", "From: <tel:+4999>", StringComparison.Ordinal);
        Assert.StartsWith("SIP/2.0 403", (await Bob.AskAsync(other)).StartLine);
        await Bob.SendAsync(Bob.InDialog("BYE", invite: invite));
        Assert.Equal(asserted is null ? [] : [asserted], (await Alice.ExpectAsync("BYE")).All("P-Asserted-Identity"));
    }

    [Theory]
    [InlineData("\"Anyone\" <sip:alice@ims.example;user=phone>")]
    [InlineData("<sip:sales@ims.example>")]
    [InlineData("<sip:anonymous@anonymous.invalid>")]
    [Requirement("RFC4916-4.4")]
    [Requirement("SEC-8")]
    public async Task OwnIdentity_MayChangeInACall(string from)
    {
        var (_, ok) = await CallAsync();
        await Alice.SendAsync(Alice.InDialog("UPDATE", ok)
            .Replace("From: \"alice\" <sip:alice@ims.example>", $"From: {from}", StringComparison.Ordinal));
        Assert.StartsWith(from, (await Bob.ExpectAsync("UPDATE"))["From"]);
    }

    [Fact]
    [Requirement("SEC-8")]
    public async Task IdentityThatIsNotInTheNewToken_StaysThatOfItsCall()
    {
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example", from: "<sip:sales@ims.example>"));
        await Alice.ExpectAsync("SIP/2.0 100");
        await Bob.AnswerAsync(await Bob.ExpectAsync("INVITE"), 200, "OK");
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        await Alice.RegisterAsync(App.Token("alice", change: token => token with { Impus = ["sip:alice@ims.example"] }));

        await Alice.SendAsync(Alice.InDialog("INFO", ok));
        Assert.False((await Bob.ExpectAsync("INFO")).Has("P-Asserted-Identity"));
        var outside = await Alice.AskAsync(Alice.Request("MESSAGE", "sip:bob@ims.example", from: "<sip:sales@ims.example>"));
        Assert.StartsWith("SIP/2.0 403", outside.StartLine);
    }

    [Fact]
    [Requirement("TRAP-12")]
    [Requirement("SEC-8")]
    public async Task GuestThatReconnects_KeepsTheCall()
    {
        await using var guest = await App.RegisterAsync("guest-1");
        await guest.SendAsync(guest.Invite("sip:bob@ims.example"));
        await guest.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        await Bob.AnswerAsync(invite, 200, "OK");
        var ok = await guest.ExpectAsync("SIP/2.0 200");
        await using var again = await guest.ReconnectAsync();
        await again.RegisterAsync(App.Token("guest-1"));

        await again.SendAsync(again.InDialog("UPDATE", ok));
        Assert.Equal("<sip:guest-1@ims.example>", (await Bob.ExpectAsync("UPDATE"))["P-Asserted-Identity"]);
        await Bob.SendAsync(Bob.InDialog("BYE", invite: invite));
        await again.ExpectAsync("BYE");
    }

    [Fact]
    [Requirement("SEC-8")]
    public async Task RequestsInCalls_HaveARateOfTheirOwn_AndAByeIsAlwaysSent()
    {
        var (invite, ok) = await CallAsync();
        // The ACK was the first.
        for (var i = 0; i < 59; i++)
        {
            await Alice.SendAsync(Alice.InDialog("INFO", ok));
            await Bob.ExpectAsync("INFO");
        }

        var refused = await Alice.AskAsync(Alice.InDialog("INFO", ok));
        Assert.Equal(("SIP/2.0 503 Service Unavailable: too many requests in calls", "5"), (refused.StartLine, refused["Retry-After"]));
        await Alice.SendAsync(Alice.InDialog("ACK", ok));
        await Alice.AssertNothingAsync();
        await Bob.AssertNothingAsync();
        await Bob.SendAsync(Bob.InDialog("INFO", invite: invite));
        await Alice.ExpectAsync("INFO");
        _time.Advance(TimeSpan.FromSeconds(1));
        await Alice.SendAsync(Alice.InDialog("INFO", ok));
        await Bob.ExpectAsync("INFO");
        await Alice.SendAsync(Alice.InDialog("BYE", ok));
        await Bob.ExpectAsync("BYE");
    }

    [Theory]
    [InlineData("Call-ID: ", "Call-ID: another-")]
    [InlineData("tag=a1", "tag=a2")]
    [InlineData("CSeq: 2 ", "CSeq: 1 ")]
    [InlineData("tag=b1", "tag=b2")]
    [Requirement("RFC3261-8.2.6.2")]
    [Requirement("SEC-8")]
    public async Task ResponseThatIsNotForItsRequest_IsDropped(string original, string forged)
    {
        var (_, ok) = await CallAsync();
        await Alice.SendAsync(Alice.InDialog("INFO", ok, cseq: 2));
        var info = await Bob.ExpectAsync("INFO");
        var response = Bob.Answer(info, 200, "OK");
        Assert.Contains(original, response);
        await Bob.SendAsync(response.Replace(original, forged, StringComparison.Ordinal));
        await Bob.AssertNothingAsync();
        await Alice.AssertNothingAsync();
        await Bob.SendAsync(response);
        await Alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("RFC3261-8.2.6.2")]
    [Requirement("SEC-8")]
    public async Task ResponseThatNamesOthers_NamesThoseOfTheRequest()
    {
        var (_, invite) = await RingAsync();
        var response = Bob.Answer(invite, 200, "OK")
            .Replace("To: <sip:bob@ims.example>", "To: \"Boss\" <sip:boss@ims.example>", StringComparison.Ordinal)
            .Replace("From: \"alice\" <sip:alice@ims.example>", "From: <sip:boss@ims.example>", StringComparison.Ordinal);
        await Bob.SendAsync(response);
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        Assert.Equal(("<sip:bob@ims.example>;tag=b1", "\"alice\" <sip:alice@ims.example>;tag=a1"), (ok["To"], ok["From"]));
    }

    [Fact]
    [Requirement("SEC-8")]
    public async Task ResponseOfAnotherFlow_IsDropped()
    {
        await using var other = await App.RegisterAsync("bob");
        await using var guest = await App.RegisterAsync("guest-1");
        var (_, ok) = await CallAsync(other);
        await Alice.SendAsync(Alice.InDialog("BYE", ok));
        var bye = await Bob.ExpectAsync("BYE");
        foreach (var sender in (Wic[])[other, guest])
        {
            await sender.AnswerAsync(bye, 200, "OK");
            await sender.AssertNothingAsync();
        }

        await Alice.AssertNothingAsync();
        await Bob.AnswerAsync(bye, 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("RFC3261-9.2")]
    [Requirement("SEC-8")]
    public async Task CancelOfAReInvite_IsOnlyThatOfItsSender()
    {
        await using var other = await App.RegisterAsync("alice");
        var (_, ok) = await CallAsync();
        var again = Alice.InDialog("INVITE", ok);
        await Alice.SendAsync(again);
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        await Bob.AnswerAsync(invite, 180, "Ringing");
        await Alice.ExpectAsync("SIP/2.0 180");
        foreach (var sender in (Wic[])[other, Bob])
        {
            await sender.SendAsync(Wic.Following(again, "CANCEL"));
            await sender.ExpectAsync("SIP/2.0 481");
        }

        await Bob.AssertNothingAsync();
        await Alice.SendAsync(Wic.Following(again, "CANCEL"));
        await Alice.ExpectAsync("SIP/2.0 200");
        await Bob.ExpectAsync("CANCEL");
    }

    [Fact]
    [Requirement("SEC-8")]
    public async Task ReInviteThatIsRefused_DoesNotEndTheCall()
    {
        var (invite, ok) = await CallAsync();
        var again = Bob.InDialog("INVITE", invite: invite);
        await Bob.SendAsync(again);
        await Bob.ExpectAsync("SIP/2.0 100");
        await Alice.AnswerAsync(await Alice.ExpectAsync("INVITE"), 488, "Not Acceptable Here");
        await Alice.ExpectAsync("ACK");
        await Bob.ExpectAsync("SIP/2.0 488");
        await Bob.SendAsync(Wic.Following(again, "ACK"));
        await Alice.SendAsync(Alice.InDialog("BYE", ok));
        await Bob.ExpectAsync("BYE");
    }

    private async Task RegisterAgainAsync()
    {
        foreach (var page in (Wic[])[Alice, Bob])
            Assert.Equal("SIP/2.0 200 OK", (await page.RegisterAsync(App.Token(page.User))).StartLine);
    }

    /// <summary>A call that is up: the INVITE as Bob got it, the 200 as Alice did.</summary>
    private async Task<(Received Invite, Received Ok)> CallAsync(Wic? other = null)
    {
        await Alice.SendAsync(Alice.Invite("sip:bob@ims.example"));
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        await Bob.AnswerAsync(invite, 200, "OK");
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        await Alice.SendAsync(Alice.InDialog("ACK", ok));
        await Bob.ExpectAsync("ACK");
        if (other is null) return (invite, ok);

        // The other device rings no more.
        var ringing = await other.ExpectAsync("INVITE");
        await other.AnswerAsync(ringing, 180, "Ringing");
        await other.AnswerAsync(await other.ExpectAsync("CANCEL"), 200, "OK");
        await other.AnswerAsync(ringing, 487, "Request Terminated");
        await other.ExpectAsync("ACK");
        return (invite, ok);
    }
}
