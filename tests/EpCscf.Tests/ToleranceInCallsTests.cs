using System.Net.WebSockets;
using System.Text;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>What unusual and broken messages are for the other side. Time is that of the system: no test waits for a timer.</summary>
public sealed class ToleranceInCallsTests : AliceAndBob
{
    [Theory]
    [InlineData("<sip:epcscf.ims.example;transport=ws;lr>")]
    [InlineData("<sip:EPCSCF.ims.example.:8084;transport=wss;lr>")]
    [InlineData("<sip:127.0.0.1:{port};transport=ws;lr>")]
    [InlineData("<sip:127.0.0.1;lr=on>")]
    [InlineData("<sip:ims.example;transport=wss;lr>")]
    [InlineData("sip:ims.example")]
    [InlineData("<sip:127.0.0.1:{port};transport=ws;lr>, <sip:orig@epcscf.ims.example;transport=ws;lr>")]
    [InlineData("<sip:127.0.0.1;lr>\r\nroute: <sip:ims.example;lr>,\r\n <sip:epcscf.ims.example;lr>")]
    [Requirement("NET-14")]
    [Requirement("RFC3261-16.4")]
    public async Task RouteThatNamesThisProxy_IsTakenOff(string route)
    {
        route = route.Replace("{port}", $"{App.Address.Port}", StringComparison.Ordinal);
        await Alice.SendAsync(Alice.Invite(Bob.Impu, $"Route: {route}\r\n"));
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        Assert.False(invite.Has("Route"));
        await Bob.AnswerAsync(invite, 200, "OK");

        // A client that sends it in dialogues also.
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        var bye = Alice.InDialog("BYE", ok).Replace("Route: ", "Route: <sip:127.0.0.1;transport=ws;lr>, ", StringComparison.Ordinal);
        await Alice.SendAsync(bye);
        Assert.False((await Bob.ExpectAsync("BYE")).Has("Route"));
    }

    [Theory]
    [InlineData("<sip:127.0.0.2;lr>")]
    [InlineData("<sip:ims.example;lr>, <sip:10.0.0.1;lr>")]
    [InlineData("<sip:someone@ims.example;lr>")]
    [InlineData("<sip:other.ims.example;lr>")]
    [InlineData("<sip:[::1];lr>")]
    [Requirement("NET-14")]
    public async Task RouteBeyondThisProxy_Is403(string route)
    {
        Assert.Equal("SIP/2.0 403 Forbidden: no route beyond this server",
            (await Alice.AskAsync(Alice.Request("MESSAGE", Bob.Impu, extra: $"Route: {route}\r\n"))).StartLine);
        await Bob.AssertNothingAsync();
    }

    [Theory]
    [InlineData("tel:+1-(201).555-0123", "SIP/2.0 404 Not Found")]
    [InlineData("tel:7042;phone-context=ims.example", "SIP/2.0 404 Not Found")]
    [InlineData("tel:7042", "SIP/2.0 416 Unsupported URI Scheme")]
    [InlineData("tel:+", "SIP/2.0 416 Unsupported URI Scheme")]
    [InlineData("tel:+49x", "SIP/2.0 416 Unsupported URI Scheme")]
    public async Task NumberOfNobody_IsNotFound(string uri, string answer) =>
        Assert.Equal(answer, (await Alice.AskAsync(Alice.Request("OPTIONS", uri))).StartLine);

    [Theory]
    [InlineData("tel:+1-201-555-0123")]
    [InlineData("TEL:+1(201)5550123;isub=1")]
    [InlineData("sip:+12015550123@ims.example;user=phone")]
    public async Task NumberOfAUser_IsThatUser(string uri)
    {
        await using var app = EpCscfApp.Start(null, ("EpCscf:Subscribers:1:Impus:1", "sip:+12015550123@ims.example"));
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        await alice.SendAsync(alice.Invite(uri));
        Assert.Equal($"<{uri}>", (await bob.ExpectAsync("INVITE"))["To"]);
    }

    [Theory]
    [InlineData("Jürgen Müller <sip:alice@ims.example>", "\"Jürgen Müller\" <sip:alice@ims.example>;tag=a1")]
    [InlineData("Liddell, Alice (home) < sip:alice@ims.example >", "\"Liddell, Alice (home)\" <sip:alice@ims.example>;tag=a1")]
    [InlineData("\"Al \\\"ice\\\"\"<sip:alice@ims.example>", "\"Al \\\"ice\\\"\"<sip:alice@ims.example>;tag=a1")]
    public async Task NameWithoutItsQuotes_ReachesTheCalleeWithThem(string from, string expected)
    {
        await Alice.SendAsync(Alice.Request("MESSAGE", Bob.Impu, from: from));
        var message = await Bob.ExpectAsync("MESSAGE");
        Assert.Equal(expected, message["From"]);
        Assert.Equal("\"Alice\" <sip:alice@ims.example>", message["P-Asserted-Identity"]);
    }

    /// <summary>onsip/SIP.js#560: a Contact of another device, which the stack could not read, cost the registration.</summary>
    [Fact]
    public async Task ContactOfAnotherDevice_IsReadableForAllDevices()
    {
        await using var other = await App.ConnectAsync("alice");
        Assert.StartsWith("SIP/2.0 200", (await other.RegisterAsync(
            App.Token("alice"), contact: $"My phone <sip:PBX#1000@{other.Host};transport=ws>;;+sip.instance=\"<{other.Instance}>\"")).StartLine);

        var contacts = (await Alice.RegisterAsync(App.Token("alice"))).All("Contact");
        Assert.Contains(contacts, contact => contact.StartsWith($"<sip:PBX%231000@{other.Host};transport=ws>;+sip", StringComparison.Ordinal));
        await Bob.SendAsync(Bob.Request("MESSAGE", "sip:alice@ims.example"));
        await other.ExpectAsync($"MESSAGE sip:PBX%231000@{other.Host};transport=ws SIP/2.0");
    }

    /// <summary>However a header field is written that may not pass, it does not pass.</summary>
    [Theory]
    [InlineData("p-asserted-identity: <sip:bob@ims.example>")]
    [InlineData("P-Asserted-Identity \t:\r\n <sip:bob@ims.example>")]
    [InlineData("X: y\nP-Asserted-Identity: <sip:bob@ims.example>")]
    [InlineData("y: forged")]
    [InlineData("HISTORY-INFO: <sip:bob@ims.example>;index=1")]
    [Requirement("SEC-8")]
    public async Task FieldOfTheTrustDomain_IsRemovedInEveryForm(string field)
    {
        await Alice.SendAsync(Alice.Request("MESSAGE", Bob.Impu, extra: $"{field}\r\n"));
        var message = await Bob.ExpectAsync("MESSAGE");
        Assert.Equal(["\"Alice\" <sip:alice@ims.example>"], message.All("P-Asserted-Identity"));
        Assert.False(message.Has("Identity") || message.Has("History-Info"));
    }

    [Fact]
    public async Task UnknownMethodsAndExtensions_PassBetweenUsers()
    {
        await Alice.SendAsync(Alice.Request(
            "X-PING", Bob.Impu, extra: "Require: x-one\r\nX-Unknown: ;;,,\"\r\nContent-Type: multipart/mixed;boundary=\"b,;\"\r\n",
            body: "--b,;\r\n\r\none\r\n--b,;\r\nContent-Type: application/json\r\n\r\n{}\r\n--b,;--"));
        var request = await Bob.ExpectAsync("X-PING");
        Assert.Equal(("x-one", ";;,,\""), (request["Require"], request["X-Unknown"]));
        Assert.EndsWith("{}\r\n--b,;--", request.Body);
        await Bob.AnswerAsync(request, 299, "Ping is good: ✓");
        Assert.Equal("SIP/2.0 299 Ping is good: ✓", (await Alice.ExpectAsync("SIP/2.0")).StartLine);
    }

    [Theory]
    [InlineData("OPTIONS", "Require")]
    [InlineData("OPTIONS", "Proxy-Require")]
    [InlineData("REGISTER", "Require")]
    [InlineData("REGISTER", "Proxy-Require")]
    [Requirement("RFC3261-8.2.2.3")]
    public async Task ExtensionThatThisServerDoesNotKnow_Is420(string method, string field)
    {
        var refusal = await Alice.AskAsync(
            Alice.Request(method, "sip:ims.example", Alice.Impu, extra: $"{field}: x-one,,x-two,\r\n"));
        Assert.Equal(("SIP/2.0 420 Bad Extension", "x-one, x-two"), (refusal.StartLine, refusal["Unsupported"]));
    }

    [Fact]
    [Requirement("RFC7118-4.2")]
    public async Task TextBinaryAndPieces_AreMessagesAlike()
    {
        foreach (var type in (WebSocketMessageType[])[WebSocketMessageType.Text, WebSocketMessageType.Binary])
        {
            var request = Encoding.UTF8.GetBytes(Alice.Request("MESSAGE", Bob.Impu, body: "grüße"));
            await Alice.SendAsync(request, type);
            var received = await Bob.ExpectAsync("MESSAGE");
            Assert.Equal("grüße", received.Body);
            await Bob.SendAsync(Encoding.UTF8.GetBytes(Bob.Answer(received, 200, "OK")), type);
            await Alice.ExpectAsync("SIP/2.0 200");
        }
    }

    [Theory]
    [InlineData("\r\n\r\n", true)]
    [InlineData("\r\n\r\n\r\n\r\n", true)]
    [InlineData("\n\n", true)]
    [InlineData("\r\n", false)]
    [InlineData("", false)]
    [Requirement("RFC5626-3.5.1")]
    public async Task KeepAlive_IsAnswered_AndItsAnswerIsNot(string octets, bool isAnswered)
    {
        await Alice.SendAsync(octets);
        if (isAnswered) Assert.Equal("\r\n", (await Alice.NextAsync()).Text);
        await Alice.AssertNothingAsync();
    }

    [Theory]
    [InlineData("Contact: <sip:b", 200, "502 Bad Gateway: response of the callee: Contact is wrong")]
    [InlineData("Content-Length: nothing", 200, "502 Bad Gateway: response of the callee: Content-Length must come once")]
    [InlineData("To: <sip:bob@ims.example>;tag=other", 200, "502 Bad Gateway: response of the callee: To must come once")]
    [InlineData("Contact: <sip:b", 486, "486 Refused")]
    [InlineData("Contact: <sip:b", 603, "603 Refused")]
    [InlineData("Contact: <sip:b", 503, "500 Server Internal Error")]
    [Requirement("RFC3261-16.7")]
    public async Task ResponseThatCannotBeRead_FailsTheCallAtOnce(string field, int code, string expected)
    {
        var (request, invite) = await RingAsync();
        await Bob.AnswerAsync(invite, code, "Whatever", extra: $"{field}\r\n");

        var final = await Alice.ExpectAsync("SIP/2.0");
        Assert.Equal($"SIP/2.0 {expected}", final.StartLine);
        Assert.Equal((new Received(request)["Via"], new Received(request)["Call-ID"]), (final["Via"], final["Call-ID"]));
        // A success that cannot be used is not confirmed, so that the callee's timer ends its call.
        if (code >= 300) await Bob.ExpectAsync("ACK");
        await Bob.AssertNothingAsync();
        Assert.Equal(0, App.Service<Routing.ProxiedRequests>().Count);
    }

    [Theory]
    [InlineData("SIP/2.0 200 OK", "SIP/2.0 2000 OK")]
    [InlineData("SIP/2.0 200 OK", "SIP/3.0 200 OK")]
    [InlineData("SIP/2.0 200 OK", "SIP/2.0")]
    [InlineData("CSeq: ", "CSeq: one ")]
    [InlineData("CSeq: ", "X: ")]
    [InlineData("From: ", "X: ")]
    [InlineData("To: ", "X: ")]
    [InlineData("Call-ID: ", "X: ")]
    [InlineData("Call-ID: ", "Call-ID: \r\nCall-ID: ")]
    public async Task ResponseWithABrokenField_IsA502(string original, string broken)
    {
        foreach (var method in (string[])["MESSAGE", "INVITE"])
        {
            await Alice.SendAsync(Alice.Request(method, Bob.Impu));
            if (method == "INVITE") await Alice.ExpectAsync("SIP/2.0 100");
            var answer = Bob.Answer(await Bob.ExpectAsync(method), 200, "OK");
            Assert.Contains(original, answer);
            await Bob.SendAsync(answer.Replace(original, broken, StringComparison.Ordinal));
            Assert.EndsWith(method, (await Alice.ExpectAsync("SIP/2.0 502"))["CSeq"]);
        }
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("Server: Gr\rab")]
    [InlineData("Route: nonsense")]
    [InlineData("Record-Route: nonsense")]
    [InlineData("Expires: soon")]
    [InlineData("Via: nonsense")]
    [InlineData("Subject:\n folded")]
    public async Task ResponseWithAFieldThatDoesNotMatter_Passes(string field)
    {
        var (request, invite) = await RingAsync();
        await Bob.AnswerAsync(invite, 200, "OK", extra: $"{field}\r\n");
        var ok = await Alice.ExpectAsync("SIP/2.0 200");
        Assert.Equal([new Received(request)["Via"]], ok.All("Via"));
        await Alice.SendAsync(Alice.InDialog("ACK", ok));
        await Bob.ExpectAsync("ACK");
    }

    [Fact]
    public async Task ProvisionalResponseThatCannotBeRead_OnlyShowsThatTheCalleeIsThere()
    {
        var request = Alice.Invite(Bob.Impu);
        await Alice.SendAsync(request);
        await Alice.ExpectAsync("SIP/2.0 100");
        var invite = await Bob.ExpectAsync("INVITE");
        await Bob.AnswerAsync(invite, 180, "Ringing", extra: "Contact: <sip:b\r\n");
        await Bob.AssertNothingAsync();

        // A CANCEL is sent at once to a callee that has answered.
        await Alice.SendAsync(Wic.Following(request, "CANCEL"));
        await Alice.ExpectAsync("SIP/2.0 200");
        await Bob.ExpectAsync("CANCEL");
        await Bob.AnswerAsync(invite, 487, "Request Terminated", extra: "Call-ID: x\r\n");
        await Alice.ExpectAsync("SIP/2.0 487");
    }

    [Fact]
    public async Task ResponseOfAnotherThatCannotBeRead_EndsNothing()
    {
        var (_, invite) = await RingAsync();
        await using var guest = await App.RegisterAsync("guest-1");
        await guest.AnswerAsync(invite, 486, "Busy Here", extra: "Contact: <sip:b\r\n");
        await guest.AssertNothingAsync();
        await Bob.AnswerAsync(invite, 200, "OK");
        await Alice.ExpectAsync("SIP/2.0 200");
    }
}
