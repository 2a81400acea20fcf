using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.WicWeb.Tests.Proxies;

/// <summary>The system behind a proxy that ends TLS: Debian's nginx and HAProxy, with the files of <c>deploy/proxies</c>.</summary>
public sealed class ReverseProxyTests(ProxiedSystem system) : IClassFixture<ProxiedSystem>, IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    // Each test has clients with addresses of their own, because limits count by address.
    private static int _clients = 1;

    public static TheoryData<string> Proxies => ["nginx", "haproxy"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await system.StartAsync();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory, MemberData(nameof(Proxies))]
    [Requirement("NET-10")]
    public async Task TlsThatEndsInTheProxy_CountsAsHttps(string proxy)
    {
        using var client = system.Client(proxy, NewAddress());

        using var page = await client.GetAsync("/", Cancel);
        Assert.Equal((HttpStatusCode.OK, "text/html"), (page.StatusCode, page.Content.Headers.ContentType?.MediaType));
        Assert.True(page.Headers.Contains("Strict-Transport-Security"));

        using var session = await client.GetAsync("/api/session", Cancel);
        Assert.Equal(HttpStatusCode.OK, session.StatusCode);
        var cookies = session.Headers.GetValues("Set-Cookie").ToList();
        Assert.NotEmpty(cookies);
        Assert.All(cookies, cookie => Assert.StartsWith("__Host-", cookie, StringComparison.Ordinal));
        Assert.All(cookies, cookie => Assert.Contains("; secure", cookie, StringComparison.Ordinal));
    }

    /// <summary>A passkey belongs to the page's host, and the return of a login to its origin.</summary>
    [Theory, MemberData(nameof(Proxies))]
    [Requirement("NET-07")]
    [Requirement("NET-10")]
    public async Task HostOfThePage_ReachesTheWwsf(string proxy)
    {
        using var client = system.Client(proxy, NewAddress());
        using var session = await client.GetAsync("/api/session", Cancel);
        var token = JsonElement.Parse(await session.Content.ReadAsStringAsync(Cancel)).GetProperty("antiforgery_token").GetString();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/session/passkey/options");
        request.Headers.Add("X-XSRF-TOKEN", token);
        request.Headers.Add("Cookie", session.Headers.GetValues("Set-Cookie").Select(cookie => cookie.Split(';')[0]));

        using var options = await client.SendAsync(request, Cancel);

        var body = await options.Content.ReadAsStringAsync(Cancel);
        Assert.True(options.IsSuccessStatusCode, body);
        Assert.Equal(ProxiedSystem.Host, JsonElement.Parse(body).GetProperty("rpId").GetString());
    }

    [Theory, MemberData(nameof(Proxies))]
    [Requirement("NET-10")]
    public async Task EachClientBehindTheProxy_HasItsOwnLimits_WhateverItClaims(string proxy)
    {
        var (stranger, other) = (NewAddress(), NewAddress());
        using var client = system.Client(proxy, stranger);
        using var another = system.Client(proxy, other);

        Assert.NotEqual(HttpStatusCode.TooManyRequests, await BeAGuestAsync(client));
        foreach (var claim in (string[])["203.0.113.1", "203.0.113.2, 127.0.0.1", other, "unknown", ""])
            Assert.Equal(HttpStatusCode.TooManyRequests, await BeAGuestAsync(client, ("X-Forwarded-For", claim)));
        Assert.NotEqual(HttpStatusCode.TooManyRequests, await BeAGuestAsync(another));
    }

    /// <summary>Headers of a stranger that the proxy passes on, and those of a stranger who reaches the gateway itself.</summary>
    [Theory, MemberData(nameof(Proxies))]
    [Requirement("NET-10")]
    public async Task ForgedHostBehindTheProxy_ChangesNothing(string proxy)
    {
        using var client = system.Client(proxy, NewAddress());
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/session");
        request.Headers.Add("X-Forwarded-Host", "evil.example.net");
        request.Headers.Add("X-Forwarded-Proto", "http");
        request.Headers.Add("Forwarded", "host=evil.example.net;proto=http");

        using var answer = await client.SendAsync(request, Cancel);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.All(answer.Headers.GetValues("Set-Cookie"), cookie => Assert.Contains("; secure", cookie, StringComparison.Ordinal));
    }

    [Fact]
    [Requirement("NET-10")]
    public async Task StrangerWhoReachesTheGatewayItself_IsNotBelieved()
    {
        using var client = system.DirectClient(NewAddress());
        client.DefaultRequestHeaders.Add("X-Forwarded-Proto", "https");
        client.DefaultRequestHeaders.Add("X-Forwarded-Host", "evil.example.net");

        using var session = await client.GetAsync("/api/session", Cancel);
        Assert.Equal(HttpStatusCode.OK, session.StatusCode);
        Assert.All(session.Headers.GetValues("Set-Cookie"), cookie => Assert.DoesNotContain("secure", cookie, StringComparison.Ordinal));

        Assert.NotEqual(HttpStatusCode.TooManyRequests, await BeAGuestAsync(client, ("X-Forwarded-For", "203.0.113.1")));
        Assert.Equal(HttpStatusCode.TooManyRequests, await BeAGuestAsync(client, ("X-Forwarded-For", "203.0.113.2")));
    }

    /// <summary>Browsers open a WebSocket over HTTP/2 if the proxy offers it (RFC 8441). nginx does not.</summary>
    [Theory]
    [InlineData("nginx", "1.1")]
    [InlineData("haproxy", "1.1")]
    [InlineData("haproxy", "2.0")]
    [Requirement("NET-09")]
    public async Task SipOverWebSocket_PassesTheProxy_AlsoInLargeFrames(string proxy, string version)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Patience);
        using var socket = await ConnectAsync(proxy, version, system.Origin(proxy), limit.Token);

        await socket.SendAsync(
            Encoding.ASCII.GetBytes(Register(new string('x', 60_000))), WebSocketMessageType.Text, endOfMessage: true, limit.Token);
        var buffer = new byte[8_000];
        var received = await socket.ReceiveAsync(buffer, limit.Token);

        Assert.StartsWith("SIP/2.0 401 ", Encoding.ASCII.GetString(buffer, 0, received.Count), StringComparison.Ordinal);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", limit.Token);
    }

    [Theory]
    [InlineData("nginx", "1.1")]
    [InlineData("haproxy", "2.0")]
    [Requirement("NET-09")]
    public async Task PageOfAnotherOrigin_OpensNoWebSocketThroughTheProxy(string proxy, string version)
    {
        foreach (var origin in (string[])["https://evil.example.net", $"https://{ProxiedSystem.Host}", system.Origin(proxy).Replace("https", "http")])
            await Assert.ThrowsAsync<WebSocketException>(() => ConnectAsync(proxy, version, origin, Cancel));
    }

    [Theory, MemberData(nameof(Proxies))]
    [Requirement("NET-10")]
    public async Task EventsOfFlowView_PassTheProxyAtOnce(string proxy)
    {
        using var client = system.Client(proxy, NewAddress());
        using var link = await client.GetAsync($"/flow/?t={ProxiedSystem.FlowToken}", Cancel);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/flow/api/events");
        request.Headers.Add("Cookie", link.Headers.GetValues("Set-Cookie").Select(cookie => cookie.Split(';')[0]));
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Patience);
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
        using var events = new StreamReader(await answer.Content.ReadAsStreamAsync(limit.Token));

        await ReadUntilAsync(events, "event: hello", limit.Token);
        var trace = Guid.NewGuid().ToString("N");
        await system.SendSpanAsync(trace);
        await ReadUntilAsync(events, trace, limit.Token);
    }

    /// <summary>The gateway reads 32 kB of headers. More are refused, and never a failure.</summary>
    [Theory]
    [InlineData("nginx", 8, true)]
    [InlineData("nginx", 16, true)]
    [InlineData("nginx", 28, true)]
    [InlineData("nginx", 40, false)]
    [InlineData("haproxy", 8, true)]
    [InlineData("haproxy", 16, true)]
    [InlineData("haproxy", 28, true)]
    [InlineData("haproxy", 40, false)]
    [Requirement("NET-10")]
    public async Task LargeCookies_PassTheProxy(string proxy, int kilobytes, bool isRead)
    {
        foreach (var version in (Version[])[HttpVersion.Version11, HttpVersion.Version20])
        {
            using var client = system.Client(proxy, NewAddress(), version);
            using var request = new HttpRequestMessage(HttpMethod.Get, "/api/session");
            // Browsers limit a cookie to 4 kB.
            request.Headers.Add("Cookie", string.Join("; ", Enumerable.Range(0, kilobytes / 4).Select(i => $"c{i}={new string('x', 4085)}")));

            var status = await StatusAsync(client, request);

            if (isRead) Assert.Equal((version, HttpStatusCode.OK), (version, status));
            else Assert.Contains(status, (HttpStatusCode?[])[HttpStatusCode.BadRequest, HttpStatusCode.RequestHeaderFieldsTooLarge, null]);
        }
    }

    // Over HTTP/2, a proxy may reset the stream or end the connection instead of an answer.
    private static async Task<HttpStatusCode?> StatusAsync(HttpClient client, HttpRequestMessage request)
    {
        try
        {
            using var answer = await client.SendAsync(request, Cancel);
            return answer.StatusCode;
        }
        catch (HttpRequestException) when (request.Version.Major == 2)
        {
            return null;
        }
    }

    private static async Task<HttpStatusCode> BeAGuestAsync(HttpClient client, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/session/anonymous");
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        using var answer = await client.SendAsync(request, Cancel);
        return answer.StatusCode;
    }

    private async Task<ClientWebSocket> ConnectAsync(string proxy, string version, string origin, CancellationToken cancel)
    {
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("sip");
        socket.Options.SetRequestHeader("Origin", origin);
        (socket.Options.HttpVersion, socket.Options.HttpVersionPolicy) = (new Version(version), HttpVersionPolicy.RequestVersionExact);
        using var invoker = new HttpMessageInvoker(system.Handler(NewAddress(), proxy), disposeHandler: false);
        await socket.ConnectAsync(new Uri($"wss{system.Origin(proxy)[5..]}/sip"), invoker, cancel);
        return socket;
    }

    private static string Register(string body) => string.Join("\r\n",
        "REGISTER sip:webrtcims.local SIP/2.0", "Via: SIP/2.0/WSS x.invalid;branch=z9hG4bK1", "Max-Forwards: 70",
        "From: <sip:guest-1@webrtcims.local>;tag=1", "To: <sip:guest-1@webrtcims.local>", $"Call-ID: {Guid.NewGuid():N}",
        "CSeq: 1 REGISTER", $"Contact: <sip:a@x.invalid;transport=ws>;reg-id=1;+sip.instance=\"<urn:uuid:{Guid.NewGuid()}>\"",
        "Supported: path, outbound", "Content-Type: text/plain", $"Content-Length: {body.Length}", "", body);

    private static async Task ReadUntilAsync(StreamReader events, string text, CancellationToken cancel)
    {
        while (await events.ReadLineAsync(cancel) is { } line)
        {
            if (line.Contains(text, StringComparison.Ordinal)) return;
        }

        Assert.Fail($"The stream ended without '{text}'.");
    }

    private static string NewAddress() => $"127.7.0.{Interlocked.Increment(ref _clients)}";
}
