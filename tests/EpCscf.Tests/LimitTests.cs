using System.Net;
using System.Net.WebSockets;
using System.Text;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

public sealed class LimitTests
{
    private readonly FakeTimeProvider _time = new(new(2026, 11, 23, 21, 0, 0, TimeSpan.Zero));

    [Fact]
    [Requirement("RFC7118-4")]
    public async Task Upgrade_NeedsTheSubprotocolAndAnAllowedOrigin()
    {
        await using var app = EpCscfApp.Start();

        Assert.Equal(HttpStatusCode.BadRequest, await RefusalAsync(app, subprotocol: "chat"));
        Assert.Equal(HttpStatusCode.Forbidden, await RefusalAsync(app, headers: ("Origin", "https://evil.example")));
        Assert.Equal(HttpStatusCode.Forbidden, await RefusalAsync(app, headers: ("Origin", "null")));
        Assert.Null(await RefusalAsync(app, headers: ("Origin", app.Address.GetLeftPart(UriPartial.Authority))));

        using var client = new HttpClient { BaseAddress = app.Address };
        using var plain = await client.GetAsync(new Uri("/sip", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.UpgradeRequired, plain.StatusCode);
    }

    [Fact]
    public async Task AllowedOrigins_ReplaceTheRuleOfTheSameHost()
    {
        await using var app = EpCscfApp.Start(settings: ("EpCscf:AllowedOrigins:0", "https://calls.example"));
        Assert.Null(await RefusalAsync(app, headers: ("Origin", "https://calls.example")));
        Assert.Null(await RefusalAsync(app, headers: ("Origin", "https://CALLS.example:443")));
        Assert.Equal(HttpStatusCode.Forbidden, await RefusalAsync(app, headers: ("Origin", app.Address.GetLeftPart(UriPartial.Authority))));
    }

    [Fact]
    [Requirement("SEC-1")]
    public async Task ConnectionThatDoesNotRegisterWithinFiveSeconds_IsClosed()
    {
        await using var app = EpCscfApp.Start(_time);
        await using var alice = await app.ConnectAsync();
        await using var bob = await app.RegisterAsync("bob");
        await alice.RegisterAsync("nonsense");
        _time.Advance(TimeSpan.FromSeconds(4));
        await alice.AssertNothingAsync();
        _time.Advance(TimeSpan.FromSeconds(1));
        await alice.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(4401, (int?)alice.Socket.CloseStatus);
        await bob.AssertNothingAsync();
    }

    [Theory]
    [InlineData(66_000)]
    [InlineData(250_000)]
    [Requirement("NET-20")]
    [Requirement("RFC3261-21.5.7")]
    public async Task RequestThatIsTooLong_Is513_AndItsConnectionStays(int length)
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");

        await alice.SendAsync(alice.Request("MESSAGE", "sip:bob@ims.example", body: new string('x', 60_000)));
        var allowed = await bob.ExpectAsync("MESSAGE");
        Assert.Equal(60_000, allowed.Body.Length);
        await bob.AnswerAsync(allowed, 200, "OK");
        await alice.ExpectAsync("SIP/2.0 200");

        var request = alice.Request("MESSAGE", "sip:bob@ims.example", body: new string('x', length));
        var refusal = await alice.AskAsync(request);
        Assert.Equal("SIP/2.0 513 Message Too Large", refusal.StartLine);
        Assert.Equal((new Received(request)["Via"], new Received(request)["CSeq"]), (refusal["Via"], refusal["CSeq"]));
        await alice.AssertNothingAsync();
        await bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("NET-20")]
    public async Task ResponseThatIsTooLong_FailsItsRequestOnly()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");

        await alice.SendAsync(alice.Request("MESSAGE", "sip:bob@ims.example"));
        await bob.AnswerAsync(await bob.ExpectAsync("MESSAGE"), 200, "OK", body: new string('x', 66_000));
        Assert.StartsWith("SIP/2.0 502 Bad Gateway", (await alice.ExpectAsync("SIP/2.0")).StartLine);
        await bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("NET-20")]
    public async Task MessageWithoutAnEnd_ClosesItsConnectionOnly()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");

        await alice.SendAsync(new byte[64 * 1024 + 1]);
        await alice.AssertNothingAsync();
        await alice.SendAsync(new byte[400_000]);
        await alice.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(WebSocketCloseStatus.MessageTooBig, alice.Socket.CloseStatus);
        await bob.AssertNothingAsync();
    }

    [Fact]
    public async Task MessageInManyPieces_IsOneMessage()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        var octets = Encoding.UTF8.GetBytes(alice.Request("OPTIONS", "sip:ims.example", extra: "Subject: grüße\r\n"));
        for (var i = 0; i < octets.Length; i++)
            await alice.Socket.SendAsync(
                octets.AsMemory(i, 1), WebSocketMessageType.Binary, i == octets.Length - 1, TestContext.Current.CancellationToken);
        await alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    public async Task TooManyMessages_Are503WithRetryAfter_ThenTheEnd_AndOthersDoNotNotice()
    {
        await using var app = EpCscfApp.Start(_time, ("EpCscf:Limits:MessagesPerSecond", "5"));
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");

        for (var i = 0; i < 9; i++)
            Assert.StartsWith("SIP/2.0 200", (await alice.AskAsync(alice.Request("OPTIONS", "sip:ims.example"))).StartLine);
        var refusal = await alice.AskAsync(alice.Request("OPTIONS", "sip:ims.example"));
        Assert.StartsWith("SIP/2.0 503", refusal.StartLine);
        Assert.Equal("5", refusal["Retry-After"]);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.StartsWith("SIP/2.0 200", (await alice.AskAsync(alice.Request("OPTIONS", "sip:ims.example"))).StartLine);

        var flood = Task.Run(async () =>
        {
            while (alice.Socket.State == WebSocketState.Open) await alice.SendAsync("garbage");
        }, TestContext.Current.CancellationToken);
        await alice.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        await bob.AssertNothingAsync();
        await Record.ExceptionAsync(() => flood);
        Assert.Equal(WebSocketCloseStatus.PolicyViolation, alice.Socket.CloseStatus);
    }

    [Fact]
    public async Task TooManyCalls_Are503WithRetryAfter_ForThisIdentityAlone()
    {
        await using var app = EpCscfApp.Start(_time, ("EpCscf:Limits:CallsPerMinute", "2"));
        await using var alice = await app.RegisterAsync("alice");
        await using var other = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");

        Assert.StartsWith("SIP/2.0 404", (await alice.AskAsync(alice.Invite("sip:nobody@ims.example"))).StartLine);
        Assert.StartsWith("SIP/2.0 404", (await other.AskAsync(other.Invite("sip:nobody@ims.example"))).StartLine);
        var refusal = await alice.AskAsync(alice.Invite("sip:nobody@ims.example"));
        Assert.Equal(("SIP/2.0 503 Service Unavailable: too many calls", "5"), (refusal.StartLine, refusal["Retry-After"]));
        Assert.StartsWith("SIP/2.0 404", (await bob.AskAsync(bob.Invite("sip:nobody@ims.example"))).StartLine);
        _time.Advance(TimeSpan.FromSeconds(31));
        Assert.StartsWith("SIP/2.0 404", (await alice.AskAsync(alice.Invite("sip:nobody@ims.example"))).StartLine);
    }

    [Fact]
    public async Task Overload_Is503WithRetryAfter_AndCallsThatRunAreNotTouched()
    {
        await using var app = EpCscfApp.Start(settings: ("EpCscf:Limits:Transactions", "2"));
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        await alice.SendAsync(alice.Invite("sip:bob@ims.example"));
        await alice.ExpectAsync("SIP/2.0 100");
        var invite = await bob.ExpectAsync("INVITE");

        var refusal = await bob.AskAsync(bob.Invite("sip:alice@ims.example"));
        Assert.Equal(("SIP/2.0 503 Service Unavailable: overload", "5"), (refusal.StartLine, refusal["Retry-After"]));
        await bob.AnswerAsync(invite, 200, "OK");
        var ok = await alice.ExpectAsync("SIP/2.0 200");
        await alice.SendAsync(alice.InDialog("ACK", ok));
        await bob.ExpectAsync("ACK");
        Assert.Equal(2, app.Service<Transactions.TransactionTable>().Count);
        await alice.SendAsync(alice.InDialog("BYE", ok));
        await bob.AnswerAsync(await bob.ExpectAsync("BYE"), 200, "OK");
        await alice.ExpectAsync("SIP/2.0 200");
    }

    [Fact]
    [Requirement("SEC-36")]
    public async Task InviteOfAStranger_LeavesNoTransaction_ThoughItsAckNeverComes()
    {
        await using var app = EpCscfApp.Start(settings: ("EpCscf:Limits:Transactions", "2"));
        await using var stranger = await app.ConnectAsync();
        for (var i = 0; i < 5; i++)
        {
            var refusal = await stranger.AskAsync(stranger.Invite("sip:bob@ims.example"));
            Assert.Equal("SIP/2.0 403 Forbidden: not registered", refusal.StartLine);
            Assert.Contains(";tag=", refusal["To"], StringComparison.Ordinal);
        }

        Assert.Equal(0, app.Service<Transactions.TransactionTable>().Count);
        await using var bob = await app.RegisterAsync("bob");
        await bob.AssertNothingAsync();
    }

    [Fact]
    [Requirement("SEC-36")]
    public async Task RequestsOfOneSubscriber_HaveAShareOfAll_OverAllItsConnections()
    {
        await using var app = EpCscfApp.Start(settings: ("EpCscf:Limits:TransactionsPerSubscriber", "3"));
        await using var alice = await app.RegisterAsync("alice");
        await using var other = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        var invites = Enumerable.Range(0, 3).Select(_ => alice.Invite("sip:nobody@ims.example")).ToList();
        foreach (var invite in invites) Assert.StartsWith("SIP/2.0 404", (await alice.AskAsync(invite)).StartLine);

        Assert.StartsWith("SIP/2.0 503", (await alice.AskAsync(alice.Invite("sip:nobody@ims.example"))).StartLine);
        Assert.StartsWith("SIP/2.0 503", (await other.AskAsync(other.Invite("sip:nobody@ims.example"))).StartLine);
        Assert.StartsWith("SIP/2.0 404", (await bob.AskAsync(bob.Invite("sip:nobody@ims.example"))).StartLine);

        await alice.SendAsync(invites[0].Replace("INVITE sip", "ACK sip", StringComparison.Ordinal)
            .Replace(" INVITE\r\n", " ACK\r\n", StringComparison.Ordinal));
        Assert.StartsWith("SIP/2.0 404", (await alice.AskAsync(alice.Invite("sip:nobody@ims.example"))).StartLine);
    }

    [Fact]
    public async Task PageThatIsNotRegisteredAnyMore_IsDisconnectedInTheEnd()
    {
        await using var app = EpCscfApp.Start(_time);
        await using var gone = await app.RegisterAsync("alice");
        await using var expired = await app.RegisterAsync("bob");
        Assert.StartsWith("SIP/2.0 200", (await gone.RegisterAsync(app.Token("alice"), expires: 0)).StartLine);
        _time.Advance(TimeSpan.FromSeconds(31));
        await gone.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(4401, (int?)gone.Socket.CloseStatus);

        _time.Advance(TimeSpan.FromMinutes(60));
        await expired.AssertNothingAsync();
        _time.Advance(TimeSpan.FromMinutes(11));
        await expired.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task ServerStops_PagesAreToldWith1001()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        app.Service<IHostApplicationLifetime>().StopApplication();
        await alice.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, alice.Socket.CloseStatus);
    }

    [Fact]
    public async Task Garbage_IsAnsweredWhereItCanBe_AndHurtsNobody()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        foreach (var garbage in (string[])["", "x", "\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n",
            "\0\0\0\0"]) await alice.SendAsync(garbage);
        await alice.SendAsync([0xff, 0xfe, 0xfd], WebSocketMessageType.Binary);
        await alice.AssertNothingAsync();
        await alice.SendAsync(
            alice.Request("OPTIONS", "sip:ims.example").Replace("Max-Forwards: 69", "Max-Forwards: many", StringComparison.Ordinal));
        await alice.ExpectAsync("SIP/2.0 400");
    }

    [Fact]
    public async Task PageThatConnectsAgain_TakesThePlaceOfTheOldConnection()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var again = await alice.ReconnectAsync();
        var ok = await again.RegisterAsync(app.Token("alice"));
        Assert.Single(ok.All("Contact"));
        await alice.Closed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(4409, (int?)alice.Socket.CloseStatus);
        await again.AssertNothingAsync();
    }

    private static Task<HttpStatusCode?> RefusalAsync(EpCscfApp app, params (string Name, string Value)[] headers) =>
        RefusalAsync(app, "sip", headers);

    private static async Task<HttpStatusCode?> RefusalAsync(EpCscfApp app, string subprotocol, params (string Name, string Value)[] headers)
    {
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol(subprotocol);
        socket.Options.CollectHttpResponseDetails = true;
        foreach (var (name, value) in headers) socket.Options.SetRequestHeader(name, value);
        try
        {
            await socket.ConnectAsync(
                new UriBuilder(app.Address) { Scheme = "ws", Path = "/sip" }.Uri, TestContext.Current.CancellationToken);
            return null;
        }
        catch (WebSocketException)
        {
            return socket.HttpStatusCode;
        }
    }
}
