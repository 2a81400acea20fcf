using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>Callers outside do not choose the trace of our spans, unless it is that of their session, and never the sampling.</summary>
public sealed class TraceBoundaryTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new();
    private readonly ConcurrentQueue<Activity> _spans = [];
    private readonly ActivityListener _listener;
    private readonly string _trace = ActivityTraceId.CreateRandom().ToHexString();
    private readonly string _span = ActivitySpanId.CreateRandom().ToHexString();
    private BackendStub _backend = null!;
    private GatewayFactory _gateway = null!;

    public TraceBoundaryTests()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Microsoft.AspNetCore",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = _spans.Enqueue,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _backend = await BackendStub.StartAsync();
        _gateway = new GatewayFactory(_backend.Address) { Time = _time };
        _ = _gateway.Address;
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _gateway.DisposeAsync();
        await _backend.DisposeAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("Cookie: wwsf-session=ended")]
    [InlineData("Cookie: someone=else")]
    [Requirement("SEC-3")]
    public async Task WithoutALiveSession_ANewTraceBegins_WithALinkToTheNamedOne(string cookie)
    {
        var sent = await SendAsync(cookie);

        Assert.DoesNotContain(_trace, sent["traceparent"], StringComparison.Ordinal);
        var trace = ActivityContext.Parse(sent["traceparent"], null).TraceId;
        var server = Assert.Single(_spans, span => span.TraceId == trace && span.ParentSpanId == default);
        var link = Assert.Single(server.Links).Context;
        Assert.Equal((_trace, _span), (link.TraceId.ToHexString(), link.SpanId.ToHexString()));
        Assert.DoesNotContain(_spans, span => span.TraceId.ToHexString() == _trace);
    }

    [Theory]
    [InlineData("00")]
    [InlineData("01")]
    [Requirement("SEC-3")]
    public async Task SampledFlagOfAPage_DoesNotCount(string flags)
    {
        var sent = await SendAsync($"Cookie: {BackendStub.Cookie}", flags);

        Assert.StartsWith($"00-{_trace}-", sent["traceparent"], StringComparison.Ordinal);
        Assert.EndsWith("-01", sent["traceparent"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Cookie: " + BackendStub.Cookie)]
    [Requirement("SEC-3")]
    public async Task StateAndBaggageOfCallers_GoNoFurther(string cookie)
    {
        var sent = await SendAsync(
            $"{cookie}\r\ntracestate: marker=1\r\nbaggage: marker=1\r\nCorrelation-Context: marker=1\r\nRequest-Id: |marker.1.");

        Assert.All(sent, header => Assert.DoesNotContain("marker", header.Value, StringComparison.Ordinal));
    }

    [Fact]
    [Requirement("SEC-3")]
    public async Task TraceOfAnotherSession_IsContinuedWhileItIsInUse_AndNotLater()
    {
        Assert.Contains(_trace, (await SendAsync($"Cookie: {BackendStub.Cookie}"))["traceparent"], StringComparison.Ordinal);
        Assert.Contains(_trace, (await SendAsync($"Cookie: {BackendStub.Cookie}-callee"))["traceparent"], StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromMinutes(5.1));

        Assert.DoesNotContain(_trace, (await SendAsync($"Cookie: {BackendStub.Cookie}-stranger"))["traceparent"], StringComparison.Ordinal);
        Assert.Contains(_trace, (await SendAsync($"Cookie: {BackendStub.Cookie}-callee"))["traceparent"], StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("SEC-3")]
    public async Task TraceThatTheGatewayBegan_IsNotContinuedByASession()
    {
        await RawHttp.GetAsync(_gateway.Address, "/api/session", Cancel);
        Assert.True(_backend.Requests.TryDequeue(out var request));
        var begun = ActivityContext.Parse(request.Headers["traceparent"], null).TraceId.ToHexString();

        var sent = await SendAsync($"Cookie: {BackendStub.Cookie}", trace: begun);

        Assert.DoesNotContain(begun, sent["traceparent"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("00-00000000000000000000000000000000-b7ad6b7169203331-01")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01")]
    [InlineData("garbage")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01, 00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    [Requirement("SEC-3")]
    public async Task UnusableContext_IsAsIfThereWereNone(string traceparent)
    {
        await RawHttp.GetAsync(
            _gateway.Address, $"/api/x HTTP/1.1\r\nCookie: {BackendStub.Cookie}\r\ntraceparent: {traceparent}\r\nX-Rest:", Cancel);

        Assert.True(_backend.Requests.TryDequeue(out var request));
        Assert.DoesNotContain("af7651916cd43dd8448eb211c80319c", request.Headers["traceparent"], StringComparison.Ordinal);
        Assert.NotEqual(default, ActivityContext.Parse(request.Headers["traceparent"], null).TraceId);
    }

    [Fact]
    [Requirement("SEC-3")]
    public async Task OneSession_CannotMakeTheGatewayForgetTheTracesOfOthers()
    {
        await SendAsync($"Cookie: {BackendStub.Cookie}");
        var continued = 0;
        for (var begun = 1; begun <= 100; begun++)
        {
            var trace = begun.ToString("x32", CultureInfo.InvariantCulture);
            var sent = await SendAsync($"Cookie: {BackendStub.Cookie}-stranger", trace: trace);
            if (sent["traceparent"].Contains(trace, StringComparison.Ordinal)) continued++;
        }

        Assert.Equal(60, continued);
    }

    [Theory]
    [InlineData("/api/session", true)]
    [InlineData("/api/turn-token", true)]
    [InlineData("/api/directory", false)]
    [InlineData("/", false)]
    [InlineData("/icon.svg", false)]
    [InlineData("/assets/unknown.js", false)]
    [InlineData("/flow/", false)]
    [InlineData("/.env", false)]
    [Requirement("EXP-12")]
    public async Task OnlyRequestsOfTheApi_HaveSpans_AndNoPoll(string path, bool isTraced)
    {
        await RawHttp.GetAsync(_gateway.Address, $"{path} HTTP/1.1\r\ntraceparent: 00-{_trace}-{_span}-01\r\nX-Rest:", Cancel);

        Activity? server = null;
        await Eventually.IsTrueAsync(() =>
            (server = _spans.FirstOrDefault(span => span.Links.Any(link => link.Context.TraceId.ToHexString() == _trace))) is not null);
        Assert.Equal(isTraced, server!.Recorded);
    }

    private async Task<IReadOnlyDictionary<string, string>> SendAsync(string headers, string flags = "01", string? trace = null)
    {
        await RawHttp.GetAsync(_gateway.Address,
            $"/api/session HTTP/1.1\r\ntraceparent: 00-{trace ?? _trace}-{_span}-{flags}\r\n{headers.Trim()}".TrimEnd() + "\r\nX-Rest:",
            Cancel);
        Assert.True(_backend.Requests.TryDequeue(out var request));
        return request.Headers;
    }
}
