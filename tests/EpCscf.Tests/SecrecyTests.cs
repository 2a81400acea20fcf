using System.Diagnostics;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>What must not be seen, and the trace that must.</summary>
public sealed class SecrecyTests
{
    [Fact]
    [Requirement("RFC8898-5")]
    public async Task TokensIdentitiesAndBodies_ReachNeitherLogsNorSpans()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        var trace = ActivityTraceId.CreateRandom();
        alice.Extra = $"Authorization: Bearer {alice.Token}\r\nTraceparent: 00-{trace}-{ActivitySpanId.CreateRandom()}-01\r\n";
        await alice.SendAsync(alice.Invite("sip:bob@ims.example"));
        await alice.ExpectAsync("SIP/2.0 100");
        await bob.AnswerAsync(await bob.ExpectAsync("INVITE"), 486, "Busy Here");
        await alice.ExpectAsync("SIP/2.0 486");
        await alice.AskAsync(alice.Request("MESSAGE", "sip:nobody@ims.example", body: "body of the message"));
        await alice.SendAsync($"garbage {alice.Token} garbage\r\n\r\n");
        await using var carol = await app.ConnectAsync("carol");
        await carol.RegisterAsync(app.Token("carol"));
        await app.DisposeAsync();

        var spans = app.SpansOf(trace);
        Assert.NotEmpty(spans);
        var seen = app.Logs.Text + string.Join('\n', spans.Select(span =>
            $"{span.DisplayName} {span.StatusDescription} {string.Join(' ', span.TagObjects.Select(tag => $"{tag.Key}={tag.Value}"))}"));
        foreach (var secret in (string[])[alice.Token!, bob.Token!, carol.Token!, "sip:alice@", "sip:bob@", "sip:carol@",
            "body of the message", "session-of-"])
            Assert.DoesNotContain(secret, seen);
        Assert.Contains("refused a registration: WwsfNotAllowed", app.Logs.Text);
    }

    [Fact]
    public async Task Traceparent_JoinsThePagesAndTheServer()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        var (trace, page) = (ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom());

        await alice.SendAsync(alice.Invite("sip:bob@ims.example", $"Traceparent: 00-{trace}-{page}-01\r\n"));
        await alice.ExpectAsync("SIP/2.0 100");
        var invite = await bob.ExpectAsync("INVITE");
        await bob.AnswerAsync(invite, 486, "Busy Here");
        await alice.ExpectAsync("SIP/2.0 486");

        var spans = app.SpansOf(trace);
        var server = Assert.Single(spans, span => span.Kind == ActivityKind.Server);
        var client = Assert.Single(spans, span =>
            span.Kind == ActivityKind.Client && span.DisplayName.StartsWith("SIP", StringComparison.Ordinal));
        Assert.Equal(("SIP INVITE", page, 486), (server.DisplayName, server.ParentSpanId, server.GetTagItem("sip.status_code")));
        Assert.Equal((server.SpanId, 486), (client.ParentSpanId, client.GetTagItem("sip.status_code")));
        Assert.Equal($"00-{trace}-{client.SpanId}-01", Assert.Single(invite.All("Traceparent")));
    }

    [Theory]
    [InlineData("REGISTER", "")]
    [InlineData("REGISTER", "Authorization: Bearer forged\r\n")]
    [InlineData("OPTIONS", "")]
    [Requirement("SEC-3")]
    public async Task TraceOfACallerWithoutAToken_IsNotContinued_AndIsLinked(string method, string headers)
    {
        await using var app = EpCscfApp.Start();
        await using var stranger = await app.ConnectAsync("alice");
        var (trace, page) = (ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom());

        await stranger.AskAsync(stranger.Request(method, "sip:ims.example", extra: $"{headers}Traceparent: 00-{trace}-{page}-01\r\n"));

        Assert.Empty(app.SpansOf(trace));
        lock (app.Spans)
        {
            Assert.Contains(app.Spans, span =>
                span.Links.Any(link => link.Context.TraceId == trace && link.Context.SpanId == page));
        }
    }

    [Fact]
    [Requirement("SEC-3")]
    public async Task TraceOfAnotherPage_IsOnlyContinuedByTheOneThatGotIt()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        await using var bob = await app.RegisterAsync("bob");
        await using var guest = await app.RegisterAsync("guest-1");
        var trace = ActivityTraceId.CreateRandom();
        string Named() => $"Traceparent: 00-{trace}-{ActivitySpanId.CreateRandom()}-01\r\n";
        int Count(string name) => app.SpansOf(trace).Count(span => span.Kind == ActivityKind.Server && span.DisplayName == name);

        await alice.SendAsync(alice.Invite("sip:bob@ims.example", Named()));
        await alice.ExpectAsync("SIP/2.0 100");
        await bob.AnswerAsync(await bob.ExpectAsync("INVITE"), 486, "Busy Here");
        await alice.ExpectAsync("SIP/2.0 486");
        await bob.ExpectAsync("ACK");
        Assert.Equal(1, Count("SIP INVITE"));

        // Everyone else must not write into it, by any method.
        foreach (var (method, uri) in ((string, string)[])[("OPTIONS", "sip:ims.example"), ("MESSAGE", "sip:nobody@ims.example")])
            await guest.AskAsync(guest.Request(method, uri, extra: Named()));
        await guest.RegisterAsync(app.Token("guest-1"), extra: Named());
        Assert.Equal((0, 0, 0), (Count("SIP OPTIONS"), Count("SIP MESSAGE"), Count("SIP REGISTER")));
        lock (app.Spans)
            Assert.Equal(3, app.Spans.Count(span => span.Links.Any(link => link.Context.TraceId == trace)));

        await bob.AskAsync(bob.Request("OPTIONS", "sip:ims.example", extra: Named()));
        await alice.AskAsync(alice.Request("MESSAGE", "sip:nobody@ims.example", extra: Named()));
        Assert.Equal((1, 1), (Count("SIP OPTIONS"), Count("SIP MESSAGE")));
    }

    [Fact]
    [Requirement("SEC-3")]
    public async Task SampledFlagOfAPage_DoesNotCount()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        var trace = ActivityTraceId.CreateRandom();

        await alice.AskAsync(
            alice.Request("OPTIONS", "sip:ims.example", extra: $"Traceparent: 00-{trace}-{ActivitySpanId.CreateRandom()}-00\r\n"));

        Assert.Single(app.SpansOf(trace), span => span.DisplayName == "SIP OPTIONS");
    }

    [Fact]
    [Requirement("SEC-5")]
    public async Task Answers_HaveNoHeaderOfTheRequest()
    {
        await using var app = EpCscfApp.Start();
        using var client = new HttpClient { BaseAddress = app.Address };

        await HeaderEcho.ExpectNoneAsync(client, "/sip", "/directory", "/sessions/x", "/nothing");
    }

    [Fact]
    public async Task BrokenTraceparent_BeginsATraceOfItsOwn()
    {
        await using var app = EpCscfApp.Start();
        await using var alice = await app.RegisterAsync("alice");
        Assert.StartsWith(
            "SIP/2.0 200",
            (await alice.AskAsync(alice.Request("OPTIONS", "sip:ims.example", extra: "Traceparent: nonsense\r\n"))).StartLine);
    }
}
