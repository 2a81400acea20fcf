using System.Net.WebSockets;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>What JsSIP, SIP.js and Chromium do that a server written from the RFCs alone would get wrong; numbered as found.</summary>
public sealed class InteropTrapTests
{
    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));

    [Fact]
    [Requirement("TRAP-1")]
    public async Task Trap01_BrowserOffersCompression_ItIsNotTaken()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await Wic.ConnectAsync(app, "alice", options: options =>
        {
            options.DangerousDeflateOptions = new WebSocketDeflateOptions();
            options.CollectHttpResponseDetails = true;
        });
        Assert.DoesNotContain("Sec-WebSocket-Extensions", alice.Socket.HttpResponseHeaders!.Keys, StringComparer.OrdinalIgnoreCase);
        Assert.Equal("sip", alice.Socket.SubProtocol);
    }

    [Fact]
    [Requirement("TRAP-2")]
    public async Task Trap02_AnswersHaveTheClientsOwnViaAloneAndUnchanged()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        var request = alice.Invite("sip:bob@ims.example");
        await alice.SendAsync(request);
        var via = new Received(request)["Via"];

        Assert.Equal([via], (await alice.ExpectAsync("SIP/2.0 100")).All("Via"));
        await bob.AnswerAsync(await bob.ExpectAsync("INVITE"), 200, "OK");
        Assert.Equal([via], (await alice.ExpectAsync("SIP/2.0 200")).All("Via"));
        Assert.Equal($"SIP/2.0/WSS {alice.Host};branch=", via[..(via.IndexOf("branch=", StringComparison.Ordinal) + 7)]);
    }

    [Fact]
    [Requirement("TRAP-3")]
    public async Task Trap03_InvalidHostsAreNeverResolved_RequestsGoByFlow()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        Assert.EndsWith(".invalid;transport=ws", bob.Contact);
        await alice.SendAsync(alice.Invite("sip:bob@ims.example"));
        await bob.ExpectAsync($"INVITE {bob.Contact} SIP/2.0");
    }

    [Fact]
    [Requirement("TRAP-4")]
    public async Task Trap04_The200ToRegister_HasTheContactWithInstanceAndRegId()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.ConnectAsync("alice");
        var ok = await alice.RegisterAsync(app.Token("alice"));
        Assert.Contains($"<{alice.Contact}>;+sip.instance=\"<{alice.Instance}>\";reg-id=1;expires=", ok["Contact"]);
    }

    [Fact]
    [Requirement("TRAP-5")]
    public async Task Trap05_RegisterWithoutRegId_IsNotToldToUseOutbound()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.ConnectAsync("alice");
        var ok = await alice.RegisterAsync(app.Token("alice"), contact: $"<{alice.Contact}>;expires=600");
        Assert.StartsWith("SIP/2.0 200", ok.StartLine);
        Assert.False(ok.Has("Require"));
        Assert.DoesNotContain("reg-id", ok["Contact"]);
    }

    [Fact]
    [Requirement("TRAP-6")]
    public async Task Trap06_AckAndCancel_NeedNoTokenAndABadOneDoesNotHurt()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        await alice.SendAsync(alice.Invite("sip:bob@ims.example", $"Authorization: Bearer {alice.Token}\r\n"));
        await alice.ExpectAsync("SIP/2.0 100");
        await bob.AnswerAsync(await bob.ExpectAsync("INVITE"), 200, "OK");
        var ok = await alice.ExpectAsync("SIP/2.0 200");

        await alice.SendAsync(alice.InDialog("ACK", ok));
        await bob.ExpectAsync("ACK");
        await alice.SendAsync(alice.InDialog("ACK", ok, extra: "Authorization: Bearer expired\r\n"));
        Assert.False((await bob.ExpectAsync("ACK")).Has("Authorization"));
    }

    [Fact]
    [Requirement("TRAP-7")]
    public async Task Trap07_TokenIsTakenOutOfEverythingThatIsForwarded()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        alice.Extra = $"Authorization: Bearer access_token=\"{alice.Token}\"\r\nProxy-Authorization: Bearer {alice.Token}\r\n";
        bob.Extra = $"Authorization: Bearer {bob.Token}\r\n";
        List<Received> forwarded = [];

        await alice.SendAsync(alice.Invite("sip:bob@ims.example"));
        await alice.ExpectAsync("SIP/2.0 100");
        var invite = await bob.ExpectAsync("INVITE");
        forwarded.Add(invite);
        await bob.AnswerAsync(invite, 200, "OK", extra: $"Authorization: Bearer {bob.Token}\r\n");
        var ok = await alice.ExpectAsync("SIP/2.0 200");
        forwarded.Add(ok);
        await bob.SendAsync(bob.InDialog("INFO", invite: invite));
        forwarded.Add(await alice.ExpectAsync("INFO"));
        foreach (var method in (string[])["ACK", "INVITE", "UPDATE", "INFO", "MESSAGE", "REFER", "BYE"])
        {
            await alice.SendAsync(alice.InDialog(method, ok));
            forwarded.Add(await bob.ExpectAsync(method));
        }

        foreach (var message in forwarded)
        {
            Assert.DoesNotContain("uthorization", message.Text);
            Assert.DoesNotContain(alice.Token!, message.Text);
            Assert.DoesNotContain(bob.Token!, message.Text);
        }
    }

    [Fact]
    [Requirement("TRAP-8")]
    public async Task Trap08_SessionTimerRefresh_IsPassedOnAndSoIsItsRefusal()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        await alice.SendAsync(alice.Invite("sip:bob@ims.example", "Session-Expires: 90\r\n"));
        await alice.ExpectAsync("SIP/2.0 100");
        var invite = await bob.ExpectAsync("INVITE");
        Assert.Equal("90", invite["Session-Expires"]);
        await bob.AnswerAsync(invite, 200, "OK");
        var ok = await alice.ExpectAsync("SIP/2.0 200");
        await alice.SendAsync(alice.InDialog("ACK", ok));
        await bob.ExpectAsync("ACK");

        await alice.SendAsync(alice.InDialog("UPDATE", ok));
        await bob.AnswerAsync(await bob.ExpectAsync("UPDATE"), 405, "Method Not Allowed", extra: "Allow: INVITE, ACK, BYE\r\n");
        Assert.Equal("INVITE, ACK, BYE", (await alice.ExpectAsync("SIP/2.0 405"))["Allow"]);
        await alice.SendAsync(alice.InDialog("BYE", ok));
        await bob.ExpectAsync("BYE");
    }

    [Fact]
    [Requirement("TRAP-9")]
    public async Task Trap09_PageThatDoesNotListen_Answers405_WhichReachesTheCaller()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        await alice.SendAsync(alice.Invite("sip:bob@ims.example"));
        await alice.ExpectAsync("SIP/2.0 100");
        await bob.AnswerAsync(await bob.ExpectAsync("INVITE"), 405, "Method Not Allowed");
        await bob.ExpectAsync("ACK");
        await alice.ExpectAsync("SIP/2.0 405");
    }

    [Fact]
    [Requirement("TRAP-10")]
    public async Task Trap10_InviteThatWasGatheredForLong_FindsItsConnectionAlive()
    {
        await using var app = EpCscfApp.Start(_time);
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        _time.Advance(TimeSpan.FromSeconds(40));
        await alice.SendAsync(alice.Invite("sip:bob@ims.example"));
        await bob.ExpectAsync("INVITE");
    }

    [Fact]
    [Requirement("TRAP-11")]
    public async Task Trap11_CallerWhoIsNotRegistered_IsRefusedAndNobodyRings()
    {
        await using var app = EpCscfApp.Start();
        await using var stranger = await app.ConnectAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        Assert.StartsWith("SIP/2.0 403", (await stranger.AskAsync(stranger.Invite("sip:bob@ims.example"))).StartLine);
        Assert.StartsWith(
            "SIP/2.0 403",
            (await stranger.AskAsync(stranger.Invite("sip:bob@ims.example", $"Authorization: Bearer {app.Token("alice")}\r\n"))).StartLine);
        await bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("TRAP-12")]
    [Requirement("RFC5626-5.3")]
    public async Task Trap12_LostConnectionInACall_TheRestOfTheCallComesOverTheNewOne()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        await alice.SendAsync(alice.Invite("sip:bob@ims.example"));
        await alice.ExpectAsync("SIP/2.0 100");
        var invite = await bob.ExpectAsync("INVITE");
        await bob.AnswerAsync(invite, 200, "OK");
        var ok = await alice.ExpectAsync("SIP/2.0 200");
        await alice.SendAsync(alice.InDialog("ACK", ok));
        await bob.ExpectAsync("ACK");

        bob.Abort();
        await using var again = await bob.ReconnectAsync();
        Assert.StartsWith("SIP/2.0 200", (await again.RegisterAsync(app.Token("bob"))).StartLine);

        await alice.SendAsync(alice.InDialog("INFO", ok));
        await again.AnswerAsync(await again.ExpectAsync($"INFO {bob.Contact};ob"), 200, "OK");
        await alice.ExpectAsync("SIP/2.0 200");
        await again.SendAsync(again.InDialog("BYE", invite: invite));
        await alice.ExpectAsync("BYE");
    }

    [Fact]
    [Requirement("TRAP-12")]
    public async Task Trap12_RequestWhileTheConnectionIsLost_WaitsForItToComeBack()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        await alice.SendAsync(alice.Invite("sip:bob@ims.example"));
        await alice.ExpectAsync("SIP/2.0 100");
        await bob.AnswerAsync(await bob.ExpectAsync("INVITE"), 200, "OK");
        var ok = await alice.ExpectAsync("SIP/2.0 200");

        await bob.LoseConnectionAsync();
        await alice.SendAsync(alice.InDialog("BYE", ok));
        await using var again = await bob.ReconnectAsync();
        await again.RegisterAsync(app.Token("bob"));
        await again.AnswerAsync(await again.ExpectAsync("BYE"), 200, "OK");
        await alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("TRAP-13")]
    public async Task Trap13_ReRegisterWithAnExpiredToken_Is401_AndACallCanStillBeEnded()
    {
        await using var app = EpCscfApp.Start(_time);
        await using var alice = await app.ConnectAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        var token = app.Token("alice", TimeSpan.FromSeconds(90));
        await alice.RegisterAsync(token);
        alice.Extra = $"Authorization: Bearer {token}\r\n";
        await alice.SendAsync(alice.Invite("sip:bob@ims.example"));
        await alice.ExpectAsync("SIP/2.0 100");
        await bob.AnswerAsync(await bob.ExpectAsync("INVITE"), 200, "OK");
        var ok = await alice.ExpectAsync("SIP/2.0 200");
        await alice.SendAsync(alice.InDialog("ACK", ok));
        await bob.ExpectAsync("ACK");

        _time.Advance(TimeSpan.FromSeconds(100));
        alice.Extra = "";
        Assert.StartsWith("SIP/2.0 401", (await alice.RegisterAsync(token)).StartLine);
        Assert.StartsWith("SIP/2.0 403", (await alice.AskAsync(alice.InDialog("UPDATE", ok))).StartLine);
        await alice.SendAsync(alice.InDialog("BYE", ok, extra: $"Authorization: Bearer {token}\r\n"));
        await bob.AnswerAsync(await bob.ExpectAsync("BYE"), 200, "OK");
        await alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("TRAP-14")]
    [Requirement("RFC5626-3.5.1")]
    public async Task Trap14_DoubleLineEnd_IsAnsweredByOne_AndASingleOneByNothing()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await alice.SendAsync("\r\n");
        await alice.SendAsync("\r\n\r\n");
        Assert.Equal("\r\n", (await alice.NextAsync()).Text);
        await alice.AssertNothingAsync();
    }

    [Fact]
    [Requirement("TRAP-15")]
    public async Task Trap15_UserAgent_ChangesNothing()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        await alice.SendAsync(alice.Invite("sip:bob@ims.example", "User-Agent: SIP.js/0.21.1\r\n"));
        Assert.Equal("SIP.js/0.21.1", (await bob.ExpectAsync("INVITE"))["User-Agent"]);
    }

    [Fact]
    [Requirement("TRAP-16")]
    public async Task Trap16_OrderOfHeadersAndOptions_DoesNotMatter()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.ConnectAsync("alice");
        var ok = await alice.AskAsync(
            $"REGISTER sip:ims.example SIP/2.0\r\nAuthorization: bearer {app.Token("alice")}\r\nSupported: outbound, path, " +
            $"gruu\r\nCSeq: 1 REGISTER\r\n" +
            $"Contact: <{alice.Contact}>;reg-id=1;+sip.instance=\"<{alice.Instance}>\"\r\nCall-ID: c1\r\nFrom: " +
            $"<{alice.Impu}>;tag=1\r\nTo: <{alice.Impu}>\r\n" +
            $"Via: SIP/2.0/WS {alice.Host};branch=z9hG4bK1\r\n\r\n");
        Assert.Equal(("SIP/2.0 200 OK", "outbound"), (ok.StartLine, ok["Require"]));
    }

    [Theory]
    [InlineData(69, "68")]
    [InlineData(70, "69")]
    [InlineData(1, "0")]
    [Requirement("TRAP-17")]
    public async Task Trap17_MaxForwards_IsCountedDownFromWhatCame(int sent, string received)
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        await alice.SendAsync(alice.Request("OPTIONS", "sip:bob@ims.example", maxForwards: sent));
        Assert.Equal(received, (await bob.ExpectAsync("OPTIONS"))["Max-Forwards"]);
    }

    [Fact]
    [Requirement("TRAP-18")]
    public async Task Trap18_LargeBodyWithIpv6Candidates_PassesUntouched()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        var body =
            "v=0\r\n" + string.Concat(
                Enumerable.Range(0, 300).Select(i => $"a=candidate:{i} 1 udp 2122262783 2001:db8::{i:x} 40000 typ host\r\n"));
        Assert.True(body.Length > 16 * 1024);
        await alice.SendAsync(alice.Request("INVITE", "sip:bob@ims.example", extra: $"Contact: <{alice.Contact}>\r\n", body: body));
        Assert.Equal(body, (await bob.ExpectAsync("INVITE")).Body);
    }

    [Fact]
    [Requirement("TRAP-19")]
    public async Task Trap19_CallIdTagsAndContacts_AreNotRewritten()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        var request = new Received(alice.Invite("sip:bob@ims.example"));
        await alice.SendAsync(request.Text);
        await alice.ExpectAsync("SIP/2.0 100");
        var invite = await bob.ExpectAsync("INVITE");
        await bob.AnswerAsync(invite, 200, "OK");
        var ok = await alice.ExpectAsync("SIP/2.0 200");

        foreach (var name in (string[])["Call-ID", "From", "To", "CSeq", "Contact"]) Assert.Equal(request[name], invite[name]);
        foreach (var name in (string[])["Call-ID", "From", "CSeq"]) Assert.Equal(request[name], ok[name]);
        Assert.Equal($"<{bob.Contact};ob>", ok["Contact"]);
        Assert.Equal(request["To"] + ";tag=b1", ok["To"]);
    }

    [Fact]
    [Requirement("TRAP-20")]
    public async Task Trap20_HostCandidatesHiddenBehindMdnsNames_PassUntouched()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        const string body = "v=0\r\na=candidate:1 1 udp 2122262783 6f1c2a4e-9f0e-4b7e-9d53-0d8f5b1f2c11.local 40000 typ host\r\n";
        await alice.SendAsync(alice.Request("INVITE", "sip:bob@ims.example", extra: $"Contact: <{alice.Contact}>\r\n", body: body));
        Assert.Equal(body, (await bob.ExpectAsync("INVITE")).Body);
    }
}
