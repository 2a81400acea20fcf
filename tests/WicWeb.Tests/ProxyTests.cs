using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>The requests that the gateway forwards to the WWSF, those that it does not, and its answer while the WWSF is down.</summary>
public sealed class ProxyTests : IAsyncLifetime
{
    private BackendStub _backend = null!;
    private GatewayFactory _gateway = null!;
    private HttpClient _client = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _backend = await BackendStub.StartAsync();
        _gateway = new GatewayFactory(_backend.Address);
        _ = _gateway.Address;
        _client = _gateway.CreateClient();
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _backend.DisposeAsync();
    }

    [Fact]
    public void ConnectionToABackend_IsNotKeptForEver()
    {
        using var handler = new SocketsHttpHandler();
        Forwarding.Gateway.Configure(handler);
        Assert.InRange(handler.PooledConnectionLifetime, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(2));
    }

    [Fact]
    public async Task ApiRequest_ReachesTheBackendAsItCame()
    {
        using var request =
            new HttpRequestMessage(HttpMethod.Post, "/api/session/login?x=1") { Content = JsonContent.Create(new { user_name = "alice" }) };
        request.Headers.Add("X-XSRF-TOKEN", "token");
        request.Headers.Add("Cookie", "session=abc");
        using var response = await _client.SendAsync(request, Cancel);

        var received = Assert.Single(_backend.Requests);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(("POST", "/api/session/login?x=1"), (received.Method, received.Target));
        Assert.Equal("""{"user_name":"alice"}""", received.Body);
        Assert.Equal("token", received.Headers["X-XSRF-TOKEN"]);
        Assert.Equal("session=abc", received.Headers["Cookie"]);
    }

    [Fact]
    public async Task ForwardedHeaders_AreTheGatewaysOwn()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/session");
        request.Headers.Add("X-Forwarded-For", "203.0.113.7");
        request.Headers.Add("X-Forwarded-Host", "evil.example");
        request.Headers.Add("X-Forwarded-Proto", "https");
        request.Headers.Add("Forwarded", "for=203.0.113.7");
        using var response = await _client.SendAsync(request, Cancel);

        var headers = Assert.Single(_backend.Requests).Headers;
        Assert.DoesNotContain("203.0.113.7", headers["X-Forwarded-For"], StringComparison.Ordinal);
        Assert.Equal(_gateway.Address.Authority, headers["X-Forwarded-Host"]);
        Assert.Equal("http", headers["X-Forwarded-Proto"]);
        Assert.False(headers.ContainsKey("Forwarded"));
    }

    [Fact]
    public async Task TraceOfThePage_GoesOnThroughTheGatewaysSpans()
    {
        const string traceId = "0af7651916cd43dd8448eb211c80319c", pageSpan = "b7ad6b7169203331";
        ConcurrentQueue<Activity> spans = [];
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is "Microsoft.AspNetCore" or "System.Net.Http",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span => { if (span.TraceId.ToHexString() == traceId) spans.Enqueue(span); },
        };
        ActivitySource.AddActivityListener(listener);

        await RawHttp.GetAsync(_gateway.Address,
            $"/api/session HTTP/1.1\r\nCookie: {BackendStub.Cookie}\r\ntraceparent: 00-{traceId}-{pageSpan}-01\r\nX-Rest:", Cancel);

        var server = Assert.Single(spans, span => span.Kind == ActivityKind.Server && span.ParentSpanId.ToHexString() == pageSpan);
        var client = Assert.Single(spans, span => span.Kind == ActivityKind.Client && span.ParentSpanId == server.SpanId);
        Assert.Equal($"00-{traceId}-{client.SpanId}-01", Assert.Single(_backend.Requests).Headers["traceparent"]);
    }

    [Fact]
    public async Task BackendsOwnProblem_PassesUnchanged()
    {
        _backend.Answer = context =>
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            context.Response.Headers.RetryAfter = "7";
            return context.Response.WriteAsync("""{"code":"waf_unavailable"}""");
        };
        using var response = await _client.PostAsync("/api/turn-token", null, Cancel);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("7", response.Headers.RetryAfter?.ToString());
        Assert.Equal("""{"code":"waf_unavailable"}""", await response.Content.ReadAsStringAsync(Cancel));
    }

    [Fact]
    [Requirement("EXP-44")]
    public async Task BackendDown_IsAProblemWithASentence_AndIsOverWhenItIsBack()
    {
        var port = new Uri(_backend.Address).Port;
        await _backend.DisposeAsync();
        using (var response = await _client.GetAsync("/api/session", Cancel))
        {
            var problem = await response.Content.ReadFromJsonAsync<JsonElement>(Cancel);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
            Assert.Equal("wwsf_unavailable", problem.GetProperty("code").GetString());
            Assert.EndsWith(".", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
            Assert.Matches("^[0-9a-f]{32}$", problem.GetProperty("trace_id").GetString());
            Assert.False(problem.TryGetProperty("traceId", out _));
            Assert.Equal("2", response.Headers.RetryAfter?.ToString());
            Assert.Equal("no-store", response.Headers.CacheControl?.ToString());
        }

        _backend = await BackendStub.StartAsync(port);
        using var again = await _client.GetAsync("/api/session", Cancel);
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        var records = _gateway.Logs.Records.Where(record => record.Contains("BackendLog", StringComparison.Ordinal)).ToList();
        Assert.Equal(2, records.Count);
        Assert.Contains("wwsf does not answer (Request). The page gets 503", records[0], StringComparison.Ordinal);
        Assert.Contains("wwsf answers again", records[1], StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", _gateway.Logs.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task BackendDown_LeavesGatewayHealthyAndPageServed()
    {
        await _backend.DisposeAsync();

        Assert.Contains("Healthy", await _client.GetStringAsync("/health", Cancel), StringComparison.Ordinal);
        Assert.Contains("WebRtcIms", await _client.GetStringAsync("/", Cancel), StringComparison.Ordinal);
        _backend = await BackendStub.StartAsync();
    }

    [Theory]
    [InlineData("/api/../health")]
    [InlineData("/api/%2e%2e/health")]
    [InlineData("/api/x/%2e%2e/%2e%2e/health")]
    [InlineData("/api/..%2fhealth")]
    [InlineData("/api/..%5chealth")]
    [InlineData("/api/..\\health")]
    [InlineData("/api/%252e%252e/health")]
    [InlineData("/api;/../health")]
    [InlineData("//health")]
    [InlineData("/oauth2/token")]
    [InlineData("/apis/health")]
    public async Task PathsThatLeaveTheApi_NeverReachTheBackendsOtherEndpoints(string target)
    {
        var answer = await RawHttp.GetAsync(_gateway.Address, target, Cancel);

        Assert.DoesNotContain(BackendStub.Health, answer, StringComparison.Ordinal);
        // Every forwarded path is under /api, however a server reads it.
        Assert.All(_backend.Requests, request => Assert.DoesNotContain("..", Decode(Decode(request.Target)), StringComparison.Ordinal));
        Assert.All(_backend.Requests, request => Assert.StartsWith("/api/", request.Target, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LargeBody_IsRefusedWithAProblem(bool chunked)
    {
        using var request =
            new HttpRequestMessage(HttpMethod.Post, "/api/session/login") { Content = new ByteArrayContent(new byte[17 * 1024]) };
        request.Headers.TransferEncodingChunked = chunked;
        using var response = await _client.SendAsync(request, Cancel);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Equal("request_too_large", (await response.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task ApiAnswers_AreNotCached_UnlessTheBackendSaysSo()
    {
        using var silent = await _client.GetAsync("/api/session", Cancel);
        _backend.Answer = context =>
        {
            context.Response.Headers.CacheControl = "private, max-age=5";
            return Task.CompletedTask;
        };
        using var explicitly = await _client.GetAsync("/api/session", Cancel);

        Assert.Equal("no-store", silent.Headers.CacheControl?.ToString());
        Assert.Equal("max-age=5, private", explicitly.Headers.CacheControl?.ToString());
    }

    [Fact]
    public async Task ServerHeaderOfTheBackend_IsNotPassedOn()
    {
        _backend.Answer = context =>
        {
            context.Response.Headers.Server = "secret/1.0";
            return Task.CompletedTask;
        };
        using var response = await _client.GetAsync("/api/session", Cancel);

        Assert.False(response.Headers.Contains("Server"));
    }

    private static string Decode(string value) => Uri.UnescapeDataString(value);
}
