using System.Diagnostics.Metrics;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>The page's spans: read strictly, since anybody can send them; measured; and sent to every collector.</summary>
public sealed class PageSpanTests : IAsyncLifetime
{
    private const string TraceId = "5b8efff798038103d269b633813fc60c";

    private BackendStub _flowView = null!;
    private BackendStub _collector = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _flowView = await BackendStub.StartAsync();
        _collector = await BackendStub.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _flowView.DisposeAsync();
        await _collector.DisposeAsync();
    }

    [Fact]
    public async Task Spans_GoToFlowViewAndToTheCollectorOfTheEnvironment_AsThePages()
    {
        await using var gateway =
            Gateway(("OTEL_EXPORTER_OTLP_ENDPOINT", _collector.Address), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
                ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b"));
        using var client = gateway.CreateClient();

        Assert.Equal(HttpStatusCode.OK, await SendAsync(client, Request(service: "waf")));

        foreach (var target in new[] { _flowView, _collector })
        {
            var received = await ReceivedAsync(target);
            Assert.Equal("application/x-protobuf", received.Headers["Content-Type"]);
            // Texts stand in protobuf as they are.
            Assert.Contains("wic", received.Body, StringComparison.Ordinal);
            Assert.Contains("allocate relay", received.Body, StringComparison.Ordinal);
            Assert.DoesNotContain("waf", received.Body, StringComparison.Ordinal);
            Assert.DoesNotContain("secret", received.Body, StringComparison.Ordinal);
        }
        Assert.Equal("a b", (await ReceivedAsync(_collector)).Headers["x-key"]);
    }

    [Theory]
    [InlineData("{}", HttpStatusCode.OK)]
    [InlineData("", HttpStatusCode.BadRequest)]
    [InlineData("[[[[", HttpStatusCode.BadRequest)]
    [InlineData("{\"resourceSpans\":7}", HttpStatusCode.BadRequest)]
    public async Task Garbage_IsRefusedAndGoesNowhere(string body, HttpStatusCode expected)
    {
        await using var gateway = Gateway();
        using var client = gateway.CreateClient();

        Assert.Equal(expected, await SendAsync(client, body));
        Assert.Empty(OfPages(_flowView));
    }

    [Theory]
    [InlineData("name", "\"a name of their own\"")]
    [InlineData("name", "\"\"")]
    [InlineData("traceId", "\"00000000000000000000000000000000\"")]
    [InlineData("traceId", "\"nothex00000000000000000000000000\"")]
    [InlineData("spanId", "\"\"")]
    [InlineData("endTimeUnixNano", "\"1\"")]
    public async Task SpanThatNoPageMakes_IsRefused(string field, string value)
    {
        await using var gateway = Gateway();
        using var client = gateway.CreateClient();

        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync(client, Request(field: field, value: value)));
        Assert.Empty(OfPages(_flowView));
    }

    [Theory]
    [InlineData("set up call")]
    [InlineData("click call")]
    [InlineData("request TURN token")]
    [InlineData("configure peer connection")]
    [InlineData("renew credentials")]
    [InlineData("register")]
    [InlineData("request registration token")]
    [InlineData("check connection")]
    public async Task SpanOfThePage_IsTaken(string name)
    {
        await using var gateway = Gateway();
        using var client = gateway.CreateClient();

        Assert.Equal(HttpStatusCode.OK, await SendAsync(client, Request(field: "name", value: JsonSerializer.Serialize(name))));
        Assert.Contains(name, (await ReceivedAsync(_flowView)).Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("echo", true)]
    [InlineData("demo_line", true)]
    [InlineData("a kind of their own", false)]
    public async Task KindOfACall_GoesOnWhenThePageHasIt(string kind, bool goesOn)
    {
        await using var gateway = Gateway();
        using var client = gateway.CreateClient();

        await SendAsync(client, Request(("name", "\"set up call\""), ("attributes", $$$"""[{"key":"ims.call.kind","value":{"stringValue":"{{{kind}}}"}}]""")));

        Assert.Equal(goesOn, (await ReceivedAsync(_flowView)).Body.Contains("ims.call.kind", StringComparison.Ordinal));
    }

    [Theory, InlineData("text/plain"), InlineData("application/x-protobuf")]
    public async Task OtherContentType_Is415WithASentence(string type)
    {
        await using var gateway = Gateway();
        using var client = gateway.CreateClient();
        using var content = new StringContent(Request(), Encoding.UTF8, type);
        using var answer = await client.PostAsync("/v1/traces", content, Cancel);

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.StatusCode);
        Assert.Contains(
            "OTLP in JSON",
            JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Cancel)).RootElement.GetProperty("detail").GetString(),
            StringComparison.Ordinal);
        Assert.Empty(OfPages(_flowView));
    }

    [Fact]
    public async Task Steps_AreMeasured()
    {
        await using var gateway = Gateway();
        using var client = gateway.CreateClient();
        using var steps =
            new MetricCollector<double>(gateway.Services.GetRequiredService<IMeterFactory>(), "WebRtcIms.Wic", "wic.reported.step.duration");

        await SendAsync(client, Request());

        var measured = Assert.Single(steps.GetMeasurementSnapshot());
        Assert.Equal(0.25, measured.Value, 6);
        Assert.Equal(8, measured.Tags["ims.step"]);
        Assert.Equal("failed", measured.Tags["outcome"]);
    }

    [Theory]
    [InlineData("{}", "", "ok")]
    [InlineData("{\"code\":2}", "turn_unreachable", "failed")]
    [InlineData("{\"code\":2}", "cancelled", "cancelled")]
    public async Task SetUp_IsMeasuredWithItsOutcome(string status, string error, string outcome)
    {
        await using var gateway = Gateway();
        using var client = gateway.CreateClient();
        using var setUps =
            new MetricCollector<double>(gateway.Services.GetRequiredService<IMeterFactory>(), "WebRtcIms.Wic", "wic.reported.call.setup.duration");

        await SendAsync(client, Request(("name", "\"set up call\""), ("status", status), ("attributes", $$$"""[{"key":"error.type","value":{"stringValue":"{{{error}}}"}}]""")));

        Assert.Equal(outcome, Assert.Single(setUps.GetMeasurementSnapshot()).Tags["outcome"]);
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("1", 1)]
    public async Task Sampling_IsByTheTrace_WhateverThePageSays(string ratio, int expected)
    {
        await using var gateway = Gateway(("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", ratio));
        using var client = gateway.CreateClient();

        Assert.Equal(HttpStatusCode.OK, await SendAsync(client, Request()));

        if (expected > 0) await ReceivedAsync(_flowView);
        Assert.Equal(expected, OfPages(_flowView).Count());
    }

    [Fact]
    [Requirement("ABUSE-78")]
    public async Task CollectorThatNeverAnswers_HoldsNobodyUp_AndWhatItMissesIsCounted()
    {
        using var release = new CancellationTokenSource();
        _collector.Answer = _ => Task.Delay(Timeout.Infinite, release.Token);
        await using var gateway =
            Gateway(("OTEL_EXPORTER_OTLP_ENDPOINT", _collector.Address), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"));
        using var client = gateway.CreateClient();
        using var dropped =
            new MetricCollector<long>(gateway.Services.GetRequiredService<IMeterFactory>(), "WebRtcIms.Wic", "wic.spans.dropped");

        Assert.Equal(HttpStatusCode.OK, await SendAsync(client, Request()));
        await ReceivedAsync(_flowView);

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        await dropped.WaitForMeasurementsAsync(1, limit.Token);
        Assert.Equal("no_answer", dropped.LastMeasurement!.Tags["reason"]);
        await release.CancelAsync();
    }

    [Fact]
    public async Task Spans_AreLimitedInSize()
    {
        await using var gateway = Gateway();
        using var client = gateway.CreateClient();

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await SendAsync(client, new string(' ', 17 * 1024)));
    }

    [Fact]
    public async Task SpansOfUnknownLength_AreLimitedInSize()
    {
        await using var gateway = Gateway();
        using var client = gateway.CreateClient();
        using var message =
            new HttpRequestMessage(
                HttpMethod.Post,
                "/v1/traces")
            { Content = new StringContent(new string(' ', 17 * 1024), Encoding.UTF8, "application/json") };
        message.Headers.TransferEncodingChunked = true;
        using var answer = await client.SendAsync(message, Cancel);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
    }

    [Fact]
    public async Task Spans_AreLimitedInNumber_AndNothingElseIs()
    {
        await using var gateway = Gateway();
        using var client = gateway.CreateClient();
        HttpStatusCode last = default;
        for (var sent = 0; sent <= 60; sent++) last = await SendAsync(client, "{}");

        Assert.Equal(HttpStatusCode.TooManyRequests, last);
        using var page = await client.GetAsync("/flow/", Cancel);
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
    }

    private GatewayFactory Gateway(params (string Key, string Value)[] settings)
    {
        var all = settings.ToDictionary(setting => setting.Key, setting => setting.Value);
        all["FlowView:Endpoint"] = _flowView.Address;
        var gateway = new GatewayFactory(_flowView.Address) { Settings = all };
        _ = gateway.Address;
        return gateway;
    }

    private static async Task<HttpStatusCode> SendAsync(HttpClient client, string body, string type = "application/json")
    {
        using var content = new StringContent(body, Encoding.UTF8, type);
        using var answer = await client.PostAsync("/v1/traces", content, Cancel);
        return answer.StatusCode;
    }

    private static async Task<ReceivedRequest> ReceivedAsync(BackendStub target)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        ReceivedRequest? received;
        while ((received = OfPages(target).FirstOrDefault()) is null) await Task.Delay(20, limit.Token);
        return received;
    }

    /// <summary>The spans of pages. The gateway's own telemetry also arrives here, in batches.</summary>
    private static IEnumerable<ReceivedRequest> OfPages(BackendStub target) =>
        target.Requests.Where(request =>
            request.Target == "/v1/traces" && !request.Body.Contains("telemetry.sdk", StringComparison.Ordinal));

    /// <summary>One failed step 8 of 250 ms.</summary>
    private static string Request(string service = "wic", string field = "", string value = "") =>
        Request(service, field.Length > 0 ? [(field, value)] : []);

    private static string Request(params (string Field, string Value)[] changes) => Request("wic", changes);

    private static string Request(string service, (string Field, string Value)[] changes)
    {
        var fields = new Dictionary<string, string>
        {
            ["traceId"] = JsonSerializer.Serialize(TraceId),
            ["spanId"] = "\"eee19b7ec3c1b174\"",
            ["parentSpanId"] = "\"eee19b7ec3c1b175\"",
            ["name"] = "\"allocate relay\"",
            ["kind"] = "1",
            ["startTimeUnixNano"] = "\"1800000000000000000\"",
            ["endTimeUnixNano"] = "\"1800000000250000000\"",
            ["attributes"] = """[{"key":"ims.step","value":{"intValue":"8"}},{"key":"error.type","value":{"stringValue":"turn_401"}},{"key":"note","value":{"stringValue":"a secret"}}]""",
            ["status"] = "{\"code\":2}",
        };
        foreach (var (field, value) in changes) fields[field] = value;
        var span = string.Join(',', fields.Select(pair => $"\"{pair.Key}\":{pair.Value}"));
        return """{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"SERVICE"}}]},"scopeSpans":[{"scope":{"name":"x"},"spans":[{SPAN}]}]}]}"""
            .Replace("SERVICE", service, StringComparison.Ordinal).Replace("SPAN", span, StringComparison.Ordinal);
    }
}
