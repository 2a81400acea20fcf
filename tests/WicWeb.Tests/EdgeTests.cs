using System.Net;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpsPolicy;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using WebRtcIms.Tests.Common;
using Yarp.ReverseProxy.Forwarder;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>The edge towards strangers: hosts, credentials, broken requests, and transport security.</summary>
public sealed class EdgeTests : IAsyncLifetime
{
    private BackendStub _wwsf = null!;
    private BackendStub _other = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => (_wwsf, _other) = (await BackendStub.StartAsync(), await BackendStub.StartAsync());

    public async ValueTask DisposeAsync()
    {
        await _wwsf.DisposeAsync();
        await _other.DisposeAsync();
    }

    [Theory]
    [InlineData("/api/session", "Cookie")]
    [InlineData("/api/directory", "Authorization")]
    [InlineData("/sip", "")]
    [InlineData("/flow/", "")]
    [Requirement("SEC-5")]
    public async Task Backend_GetsOnlyTheCredentialsThatItChecks(string path, string expected)
    {
        await using var gateway = Gateway(("environment", "Development"));
        using var client = gateway.CreateClient();
        client.DefaultRequestHeaders.Add("Cookie", BackendStub.Cookie);
        client.DefaultRequestHeaders.Add("Authorization", "Bearer token");

        using var answer = await client.GetAsync(path, Cancel);

        var received = Assert.Single(_wwsf.Requests.Concat(_other.Requests));
        Assert.Equal(expected, string.Join(' ', received.Headers.Keys.Where(name => name is "Cookie" or "Authorization")));
    }

    [Theory]
    [InlineData("/api/session", "Cookie")]
    [InlineData("/api/session", "X-Other")]
    [InlineData("/api/directory", "Origin")]
    [InlineData("/sip", "Sec-WebSocket-Protocol")]
    [InlineData("/flow/", "User-Agent")]
    [Requirement("SEC-38")]
    public async Task TextBeyondAsciiInAHeader_GoesOnAsItCame(string path, string name)
    {
        await using var gateway = Gateway(("environment", "Development"));

        var answer = await RawHttp.GetAsync(gateway.Address, $"{path} HTTP/1.1\r\n{name}: a=\u00e9\u010a\u20ac\r\nX-Rest:", Cancel);

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        var received = Assert.Single(_wwsf.Requests.Concat(_other.Requests));
        Assert.Equal("a=\u00e9\u010a\u20ac", received.Headers[name]);
    }

    [Theory, InlineData("Production"), InlineData("Development")]
    [Requirement("SEC-5")]
    public async Task Answers_HaveNoHeaderOfTheRequest(string environment)
    {
        await using var gateway = Gateway(("environment", environment));
        using var client = gateway.CreateClient();

        await HeaderEcho.ExpectNoneAsync(client, "/", "/api/session", "/api/session/login", "/sip", "/flow/x", "/v1/traces", "/nothing");
    }

    [Fact]
    [Requirement("SEC-5")]
    public async Task FailureOfTheGatewayItself_ShowsNothingOfTheRequest()
    {
        await using var gateway =
            new GatewayFactory(_wwsf.Address).With("environment", "Development").Replace<IHttpForwarder>(new Broken());
        _ = gateway.Address;
        using var client = gateway.CreateClient();

        await HeaderEcho.ExpectNoneAsync(client, "/api/session");
        using var answer = await client.GetAsync("/api/session", Cancel);
        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
    }

    [Theory]
    [InlineData("Development", "rebound.example.net", HttpStatusCode.BadRequest)]
    [InlineData("Development", "phone.example.com", HttpStatusCode.OK)]
    [InlineData("Development", "localhost", HttpStatusCode.OK)]
    [InlineData("Development", "127.0.0.2:8080", HttpStatusCode.OK)]
    [InlineData("Development", "[::1]:8080", HttpStatusCode.OK)]
    [InlineData("Development", "wic-web.localhost", HttpStatusCode.OK)]
    [InlineData("Development", "localhost.example.net", HttpStatusCode.BadRequest)]
    [InlineData("Development", "192.168.1.20", HttpStatusCode.BadRequest)]
    [InlineData("Production", "phone.example.com", HttpStatusCode.OK)]
    [InlineData("Production", "phone.example.com:8443", HttpStatusCode.OK)]
    [InlineData("Production", "PHONE.example.com", HttpStatusCode.OK)]
    [InlineData("Production", "localhost", HttpStatusCode.BadRequest)]
    [InlineData("Production", "evil.phone.example.com", HttpStatusCode.BadRequest)]
    [InlineData("Production", "phone.example.com.evil.example", HttpStatusCode.BadRequest)]
    [Requirement("SEC-21")]
    public async Task Host_MustBeOneOfOurs(string environment, string host, HttpStatusCode expected)
    {
        await using var gateway = Gateway(("environment", environment), ("AllowedHosts", "https://phone.example.com;wic-web"));
        using var client = gateway.CreateClient();
        client.DefaultRequestHeaders.Host = host;

        foreach (var path in (string[])["/", "/api/session", "/flow/nothing.js"])
        {
            using var answer = await client.GetAsync(path, Cancel);
            if (environment == "Development" || path != "/flow/nothing.js")
            {
                Assert.True(
                    expected == answer.StatusCode || (path.StartsWith("/flow", StringComparison.Ordinal) && host == "phone.example.com"),
                    $"{path} {answer.StatusCode}");
            }
        }

        foreach (var probe in (string[])["/health", "/alive"])
        {
            using var answer = await client.GetAsync(probe, Cancel);
            Assert.Equal((probe, HttpStatusCode.OK), (probe, answer.StatusCode));
        }
    }

    [Theory]
    [InlineData("phone.example.com", "phone.example.com.", 200)]
    [InlineData("phone.example.com", "phone.example.com.:8443", 200)]
    [InlineData("phone.example.com", "PHONE.EXAMPLE.COM", 200)]
    [InlineData("bücher.example", "xn--bcher-kva.example", 200)]
    [InlineData("xn--bcher-kva.example", "xn--bcher-kva.example:443", 200)]
    [InlineData("xn--bcher-kva.example", "XN--Bcher-KVA.example", 200)]
    [InlineData("https://BÜCHER.example:8443/", "xn--bcher-kva.example", 200)]
    [InlineData("*.bücher.example", "phone.xn--bcher-kva.example", 200)]
    [InlineData("*.example.com", "phone.example.com.", 200)]
    [InlineData("*.example.com", "example.com", 400)]
    [InlineData("2001:db8::1", "[2001:DB8:0::1]:8443", 200)]
    [InlineData("[2001:db8::1]:8443", "[2001:db8::1]", 200)]
    [InlineData("192.0.2.1:8443", "192.0.2.1", 200)]
    [InlineData("bücher.example", "bucher.example", 400)]
    [InlineData("phone.example.com", "xn--99999999.example", 400)]
    [InlineData("phone.example.com", "xn--.example:8443", 400)]
    [InlineData("phone.example.com", "phone..example.com", 400)]
    [InlineData("phone.example.com", ".", 400)]
    [InlineData("phone.example.com", "", 400)]
    [InlineData("phone.example.com", "phone.example.com:x", 400)]
    [InlineData("phone.example.com", "phone.example.com:99999", 400)]
    [InlineData("phone.example.com", "user@phone.example.com", 400)]
    [Requirement("NET-07")]
    [Requirement("NET-09")]
    public async Task Host_IsComparedAsTheSameNameHoweverItIsWritten(string setting, string host, int expected)
    {
        await using var gateway = new GatewayFactory(_wwsf.Address).WithAllLogs().With("AllowedHosts", setting);

        var answer = await RawHttp.SendAsync(
            gateway.Address, $"GET /api/session HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", Cancel);

        Assert.StartsWith($"HTTP/1.1 {expected} ", answer, StringComparison.Ordinal);
        Assert.Equal(expected == 200 ? 1 : 0, _wwsf.Requests.Count);
        Assert.DoesNotContain("IDN name", gateway.Logs.Text, StringComparison.Ordinal);
    }

    /// <summary>A proxy that overwrites X-Forwarded-For passes on an X-Forwarded-Host of its client.</summary>
    [Theory]
    [InlineData("phone.example.com:443", true)]
    [InlineData("phone.example.com.", true)]
    [InlineData("evil.example.net", false)]
    [InlineData("xn--99999999.example", true)]
    [Requirement("NET-10")]
    public async Task ForwardedHost_IsOneOfOurs(string forwarded, bool isAnswered)
    {
        await using var gateway = Gateway(("AllowedHosts", "phone.example.com"), ("WicWeb:KnownProxies:0", "127.0.0.1"));
        using var client = gateway.CreateClient();
        client.DefaultRequestHeaders.Host = "phone.example.com";
        client.DefaultRequestHeaders.Add("X-Forwarded-For", "203.0.113.7");
        client.DefaultRequestHeaders.Add("X-Forwarded-Host", forwarded);

        using var answer = await client.GetAsync("/api/session", Cancel);

        Assert.Equal(isAnswered ? HttpStatusCode.OK : HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal(isAnswered ? 1 : 0, _wwsf.Requests.Count);
    }

    /// <summary>Headers with which proxies make claims, as strangers may send them also.</summary>
    [Fact]
    [Requirement("NET-10")]
    public async Task ClaimsOfStrangers_ReachNoBackend()
    {
        string[] claims =
        [
            "Forwarded", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Server",
            "X-Original-For", "X-Original-Host", "X-Original-Proto", "X-Original-URL", "X-Real-IP",
        ];
        await using var gateway = Gateway();
        using var client = gateway.CreateClient();
        foreach (var claim in claims) client.DefaultRequestHeaders.Add(claim, "/203.0.113.7");

        using var answer = await client.GetAsync("/api/session", Cancel);

        Assert.Empty(Assert.Single(_wwsf.Requests).Headers.Keys.Intersect(claims, StringComparer.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("GET / HTTP/1.0\r\n\r\n")]
    [InlineData("GET /api/session HTTP/1.0\r\n\r\n")]
    [InlineData("GET http://rebound.example.net/ HTTP/1.1\r\nHost: rebound.example.net\r\nConnection: close\r\n\r\n")]
    [Requirement("SEC-21")]
    public async Task RequestWithoutOneOfOurHosts_IsRefused(string request)
    {
        await using var gateway = Gateway(("environment", "Development"));

        var answer = await RawHttp.SendAsync(gateway.Address, request, Cancel);

        Assert.Matches("^HTTP/1.1 400 ", answer);
        Assert.DoesNotContain("rebound", answer, StringComparison.Ordinal);
        Assert.Empty(_wwsf.Requests);
    }

    [Fact]
    [Requirement("SEC-21")]
    public async Task ReboundName_OpensNoWebSocket()
    {
        await using var gateway = Gateway(("environment", "Development"));
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("sip");
        socket.Options.SetRequestHeader("Host", "rebound.example.net");

        var error = await Assert.ThrowsAsync<WebSocketException>(() =>
            socket.ConnectAsync(new UriBuilder(gateway.Address) { Scheme = "ws", Path = "/sip" }.Uri, Cancel));

        Assert.Contains("400", error.Message, StringComparison.Ordinal);
        Assert.Empty(_other.Requests);
    }

    [Theory]
    [InlineData("Transfer-Encoding: chunked\r\n\r\nxyz\r\n")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n0\r\n\r\n")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n-1\r\n\r\n")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n")]
    [Requirement("SEC-26")]
    public async Task MalformedBody_IsTheClientsMistake(string rest)
    {
        await using var gateway = Gateway();
        _wwsf.Answer = context => context.Response.WriteAsync("never");

        var answer = await RawHttp.SendAsync(gateway.Address, Post(gateway, rest), Cancel);

        Assert.Matches("^HTTP/1.1 400 ", answer);
        Assert.DoesNotContain("Retry-After", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("unavailable", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Content-Length: 10\r\n\r\nabc")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nabc")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")]
    [Requirement("SEC-26")]
    public async Task BodyThatEndsTooEarly_IsNoFailureOfABackend(string rest)
    {
        await using var gateway = Gateway();

        var answer = await RawHttp.SendAsync(gateway.Address, Post(gateway, rest), Cancel, ends: true);

        Assert.DoesNotContain("HTTP/1.1 5", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Content-Length: 3, 4\r\n\r\nabc", "400")]
    [InlineData("Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "400")]
    [InlineData("Content-Length: -1\r\n\r\nabc", "400")]
    [InlineData("Content-Length: x\r\n\r\nabc", "400")]
    [InlineData("Content-Length: 99999999\r\n\r\nabc", "413")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4e20\r\n", "413")]
    [InlineData("Content-Length: 3\r\n\r\nabcGARBAGE\r\n\r\n", "200")]
    [Requirement("SEC-26")]
    public async Task WrongLength_IsTheClientsMistake(string rest, string status)
    {
        await using var gateway = Gateway();
        var long20K = rest.EndsWith("4e20\r\n", StringComparison.Ordinal) ? new string('x', 20_000) + "\r\n0\r\n\r\n" : "";

        var answer = await RawHttp.SendAsync(gateway.Address, Post(gateway, rest + long20K), Cancel);

        Assert.Matches($"^HTTP/1.1 {status} ", answer);
        Assert.DoesNotContain("HTTP/1.1 5", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Production", true)]
    [InlineData("Development", false)]
    [Requirement("SEC-18")]
    public async Task OverHttps_BrowsersAreToldToStayThere_ExceptInDevelopment(string environment, bool expected)
    {
        using var certificate = new TestCertificate();
        await using var gateway = new GatewayFactory(_wwsf.Address, certificate: certificate)
        {
            Settings = new() { ["environment"] = environment, ["AllowedHosts"] = "phone.example.com" },
        };
        using var handler = new SocketsHttpHandler { SslOptions = certificate.ClientOptions() };
        using var client = new HttpClient(handler) { BaseAddress = gateway.Address };
        client.DefaultRequestHeaders.Host = "phone.example.com";

        foreach (var path in (string[])["/", "/api/session", "/nothing"])
        {
            using var answer = await client.GetAsync(new Uri(path, UriKind.Relative), Cancel);
            Assert.Equal(
                expected ? "max-age=31536000; includeSubDomains" : "",
                answer.Headers.TryGetValues("Strict-Transport-Security", out var values) ? string.Join(',', values) : "");
        }
    }

    [Fact]
    [Requirement("SEC-18")]
    public async Task HostsBelow_CanBeLeftOut()
    {
        await using var gateway = Gateway(("WicWeb:HstsSubDomains", "false"));
        Assert.False(gateway.Services.GetRequiredService<IOptions<HstsOptions>>().Value.IncludeSubDomains);
    }

    [Fact]
    [Requirement("SEC-18")]
    public async Task OverHttp_ThereIsNoSuchHeader()
    {
        await using var gateway = Gateway();
        using var client = gateway.CreateClient();
        using var answer = await client.GetAsync("/", Cancel);

        Assert.False(answer.Headers.Contains("Strict-Transport-Security"));
    }

    private static string Post(GatewayFactory gateway, string rest) =>
        $"POST /api/session/login HTTP/1.1\r\nHost: {gateway.Address.Authority}\r\nContent-Type: application/json\r\n"
            + "Connection: close\r\n" + rest;

    private GatewayFactory Gateway(params (string Key, string Value)[] settings)
    {
        var gateway = new GatewayFactory(_wwsf.Address, epCscf: _other.Address)
        {
            FlowView = _other.Address,
            Settings = settings.ToDictionary(),
        };
        _ = gateway.Address;
        return gateway;
    }

    private sealed class Broken : IHttpForwarder
    {
        public ValueTask<ForwarderError> SendAsync(
            HttpContext context, string destinationPrefix, HttpMessageInvoker httpClient, ForwarderRequestConfig requestConfig,
            HttpTransformer transformer) => throw new InvalidOperationException("broken");
    }
}
