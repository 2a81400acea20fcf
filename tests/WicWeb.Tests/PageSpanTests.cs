using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;
using WebRtcIms.WicWeb.PageSpans;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>The page's spans: read strictly, since anybody can send them; measured; and sent to every collector.</summary>
public sealed class PageSpanTests : IAsyncLifetime
{
    private const string TraceId = "5b8efff798038103d269b633813fc60c";

    // Just after the span of Request(). The exporters of the gateway itself wait by this clock, so tests with a collector do without.
    private readonly FakeTimeProvider _time = new(DateTimeOffset.FromUnixTimeSeconds(1_800_000_001));

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
        using var client = Client(gateway);

        Assert.Equal(HttpStatusCode.OK, await SendAsync(client, Now(Request(service: "waf"))));

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
        using var client = Client(gateway);

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
        using var client = Client(gateway);

        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync(client, Request(field: field, value: value)));
        Assert.Empty(OfPages(_flowView));
    }

    [Theory]
    [InlineData("set up call")]
    [InlineData("click call")]
    [InlineData("request TURN token")]
    [InlineData("configure peer connection")]
    [InlineData("renew credentials")]
    [InlineData("in call")]
    [InlineData("register")]
    [InlineData("request registration token")]
    [InlineData("check connection")]
    public async Task SpanOfThePage_IsTaken(string name)
    {
        await using var gateway = Gateway();
        using var client = Client(gateway);

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
        using var client = Client(gateway);

        await SendAsync(client, Request(("name", "\"set up call\""), ("attributes", $$$"""[{"key":"ims.call.kind","value":{"stringValue":"{{{kind}}}"}}]""")));

        Assert.Equal(goesOn, (await ReceivedAsync(_flowView)).Body.Contains("ims.call.kind", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("\"12\"", true)]
    [InlineData("\"-12\"", false)]
    [InlineData("\"99999999999\"", false)]
    public async Task PacketsOfACall_GoOnWhenTheyAreANumber(string count, bool goesOn)
    {
        await using var gateway = Gateway();
        using var client = Client(gateway);

        await SendAsync(client, Request(("name", "\"in call\""), ("attributes", $$$"""[{"key":"ims.media.packets_lost","value":{"intValue":{{{count}}}}}]""")));

        Assert.Equal(goesOn, (await ReceivedAsync(_flowView)).Body.Contains("ims.media.packets_lost", StringComparison.Ordinal));
    }

    [Theory, InlineData("text/plain"), InlineData("application/x-protobuf")]
    public async Task OtherContentType_Is415WithASentence(string type)
    {
        await using var gateway = Gateway();
        using var client = Client(gateway);
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
        using var client = Client(gateway);
        using var steps =
            new MetricCollector<double>(
                gateway.Services.GetRequiredService<IMeterFactory>(), "WebRtcIms.Wic", "wic.reported.step.duration");

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
        using var client = Client(gateway);
        using var setUps =
            new MetricCollector<double>(
                gateway.Services.GetRequiredService<IMeterFactory>(), "WebRtcIms.Wic", "wic.reported.call.setup.duration");

        await SendAsync(client, Request(("name", "\"set up call\""), ("status", status), ("attributes", $$$"""[{"key":"error.type","value":{"stringValue":"{{{error}}}"}}]""")));

        Assert.Equal(outcome, Assert.Single(setUps.GetMeasurementSnapshot()).Tags["outcome"]);
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("1", 1)]
    public async Task Sampling_IsByTheTrace_WhateverThePageSays(string ratio, int expected)
    {
        await using var gateway = Gateway(("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", ratio));
        using var client = Client(gateway);

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
        using var client = Client(gateway);
        using var dropped =
            new MetricCollector<long>(gateway.Services.GetRequiredService<IMeterFactory>(), "WebRtcIms.Wic", "wic.spans.dropped");

        Assert.Equal(HttpStatusCode.OK, await SendAsync(client, Now(Request())));
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
        using var client = Client(gateway);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await SendAsync(client, new string(' ', 17 * 1024)));
    }

    [Fact]
    public async Task SpansOfUnknownLength_AreLimitedInSize()
    {
        await using var gateway = Gateway();
        using var client = Client(gateway);
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
        using var client = Client(gateway);
        HttpStatusCode last = default;
        for (var sent = 0; sent <= 60; sent++) last = await SendAsync(client, "{}");

        Assert.Equal(HttpStatusCode.TooManyRequests, last);
        using var page = await client.GetAsync("/api/session", Cancel);
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        using var other = Client(gateway, BackendStub.Cookie + "-2");
        Assert.Equal(HttpStatusCode.OK, await SendAsync(other, "{}"));
    }

    [Fact]
    [Requirement("SEC-3")]
    public async Task AddressesOfOneIPv6Network_CountTogether()
    {
        await using var gateway = Gateway();
        using var client = Client(gateway, cookie: "");
        HashSet<HttpStatusCode> answers = [];
        for (var sent = 0; sent <= 300; sent++)
        {
            gateway.RemoteAddress = IPAddress.Parse($"2001:db8::{sent % 7:x}:1");
            answers.Add(await SendAsync(client, "{}"));
        }

        Assert.Equal([HttpStatusCode.Unauthorized, HttpStatusCode.TooManyRequests], answers.Order());
        gateway.RemoteAddress = IPAddress.Parse("2001:db8:0:1::1");
        Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync(client, "{}"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("wwsf-session=ended")]
    [InlineData("other=live")]
    [InlineData("wwsf-session-frame=live")]
    [Requirement("SEC-3")]
    public async Task WithoutALiveSession_NothingIsExportedOrMeasured(string cookie)
    {
        await using var gateway = Gateway();
        using var stranger = Client(gateway, cookie);
        using var page = Client(gateway);
        var meters = gateway.Services.GetRequiredService<IMeterFactory>();
        using var setUps = new MetricCollector<double>(meters, "WebRtcIms.Wic", "wic.reported.call.setup.duration");

        Assert.Equal(HttpStatusCode.Unauthorized, await SendAsync(stranger, Request(("name", "\"set up call\""))));

        Assert.Empty(setUps.GetMeasurementSnapshot());
        Assert.Equal(HttpStatusCode.OK, await SendAsync(page, Request(("name", "\"register\""))));
        Assert.DoesNotContain("set up call", (await ReceivedAsync(_flowView)).Body, StringComparison.Ordinal);
        Assert.Single(OfPages(_flowView));
    }

    [Fact]
    public async Task Session_IsAskedForOnceInSeconds_AndTheWwsfGetsOnlyItsCookie()
    {
        await using var gateway = Gateway();
        using var client = Client(gateway, BackendStub.Cookie + "; flow-view=secret");

        for (var sent = 0; sent < 5; sent++) await SendAsync(client, "{}");

        Assert.Equal(BackendStub.Cookie, Assert.Single(_flowView.SessionChecks));
    }

    [Theory]
    [InlineData("; wwsf-sessionC1={0}")]
    [InlineData("; __Host-wwsf-session={0}")]
    [InlineData("; wwsf-session={0}")]
    [InlineData("; WWSF-session={0}")]
    [Requirement("SEC-37")]
    public async Task Session_IsOne_WhateverCookiesComeWithItsOwn(string others)
    {
        await using var gateway = Gateway();
        var answers = new List<HttpStatusCode>();
        for (var sent = 0; sent < 61; sent++)
        {
            using var client = Client(gateway, BackendStub.Cookie + string.Format(CultureInfo.InvariantCulture, others, sent));
            answers.Add(await SendAsync(client, Request(("name", "\"register\""))));
        }

        Assert.Equal(60, answers.Count(answer => answer == HttpStatusCode.OK));
        Assert.Equal(HttpStatusCode.TooManyRequests, answers[^1]);
    }

    [Theory]
    [InlineData("9223372036854775808", "10223372036854775808")] // 2262, and 31 years long
    [InlineData("1800000900000000000", "1800000900000000001")]
    [InlineData("1799999000000000000", "1799999000000000001")]
    [InlineData("1799990000000000000", "1800000000000000000")]
    [InlineData("0", "1800000000000000000")]
    [Requirement("SEC-3")]
    public async Task SpanOfAnotherTime_OrOfMoreThanAnHour_IsNeitherExportedNorMeasured(string start, string end)
    {
        await using var gateway = Gateway();
        using var client = Client(gateway);
        var meters = gateway.Services.GetRequiredService<IMeterFactory>();
        using var setUps = new MetricCollector<double>(meters, "WebRtcIms.Wic", "wic.reported.call.setup.duration");
        using var refused = new MetricCollector<long>(meters, "WebRtcIms.Wic", "wic.spans.refused");

        var answer = await SendAsync(client, Request(
            ("name", "\"set up call\""), ("startTimeUnixNano", $"\"{start}\""), ("endTimeUnixNano", $"\"{end}\"")));

        Assert.Equal(HttpStatusCode.BadRequest, answer);
        Assert.Empty(setUps.GetMeasurementSnapshot());
        Assert.Equal("time", Assert.Single(refused.GetMeasurementSnapshot()).Tags["reason"]);
        Assert.Empty(OfPages(_flowView));
    }

    [Fact]
    [Requirement("SEC-3")]
    public async Task TraceOfAnotherSession_IsJoinedWhileItIsInUse_AndNotLater()
    {
        await using var gateway = Gateway();
        using var caller = Client(gateway);
        using var callee = Client(gateway, BackendStub.Cookie + "-callee");
        using var stranger = Client(gateway, BackendStub.Cookie + "-stranger");

        Assert.Equal(HttpStatusCode.OK, await SendAsync(caller, Request()));
        _time.Advance(TimeSpan.FromMinutes(4));
        Assert.Equal(HttpStatusCode.OK, await SendAsync(callee, Request()));
        _time.Advance(TimeSpan.FromMinutes(5.1));

        Assert.Equal(HttpStatusCode.BadRequest, await SendAsync(stranger, Request()));
        Assert.Equal(HttpStatusCode.OK, await SendAsync(caller, Request()));
        Assert.Equal(HttpStatusCode.OK, await SendAsync(callee, Request()));
    }

    [Theory]
    [InlineData("turn_401", "turn_401")]
    [InlineData("token_expired", "token_expired")]
    [InlineData("caller_is_under_arrest", "_OTHER")]
    [Requirement("SEC-3")]
    public async Task ErrorCode_IsOneOfThePages(string sent, string shown)
    {
        await using var gateway = Gateway();
        using var client = Client(gateway);

        await SendAsync(client, Request(("attributes", $$$"""[{"key":"error.type","value":{"stringValue":"{{{sent}}}"}}]""")));

        var body = (await ReceivedAsync(_flowView)).Body;
        Assert.Contains(shown, body, StringComparison.Ordinal);
        Assert.DoesNotContain("arrest", body, StringComparison.Ordinal);
    }

    /// <summary>Except for those of log-ins, passkeys and FlowView, which no span has.</summary>
    [Fact]
    public void ErrorCodes_AreThoseThatThePageHasTextsFor()
    {
        var texts = File.ReadAllText(Repository.PathOf("web", "shared", "texts", "en.ts"));
        var problems = texts[texts.IndexOf("  problems: {", StringComparison.Ordinal)..];
        var codes = Regex.Matches(problems, "^    ([a-z0-9_]+): \\[", RegexOptions.Multiline).Select(match => match.Groups[1].Value)
            .Where(code => !Regex.IsMatch(
                code, "^(log_?in|locked|(wrong|weak|no)_password|passkey|too_many_passkeys|external|flow_view|trace|too_many_pages)"));

        Assert.Equal(codes.Append("passkey_missing").Append("token_expired").Append("unexpected").Order(), PageErrors.Codes.Order());
    }

    private GatewayFactory Gateway(params (string Key, string Value)[] settings)
    {
        var all = settings.ToDictionary(setting => setting.Key, setting => setting.Value);
        all["FlowView:Endpoint"] = _flowView.Address;
        var gateway = new GatewayFactory(_flowView.Address)
        {
            Settings = all,
            Time = all.ContainsKey("OTEL_EXPORTER_OTLP_ENDPOINT") ? null : _time,
        };
        _ = gateway.Address;
        return gateway;
    }

    /// <summary>A page with a live session.</summary>
    private static HttpClient Client(GatewayFactory gateway, string cookie = BackendStub.Cookie)
    {
        var client = gateway.CreateClient();
        if (cookie.Length > 0) client.DefaultRequestHeaders.Add("Cookie", cookie);
        return client;
    }

    private static async Task<HttpStatusCode> SendAsync(HttpClient client, string body, string type = "application/json")
    {
        using var content = new StringContent(body, Encoding.UTF8, type);
        using var answer = await client.PostAsync("/v1/traces", content, Cancel);
        return answer.StatusCode;
    }

    private static async Task<ReceivedRequest> ReceivedAsync(BackendStub target)
    {
        ReceivedRequest? received = null;
        await Eventually.IsTrueAsync(() => (received = OfPages(target).FirstOrDefault()) is not null);
        return received!;
    }

    /// <summary>The spans of pages. The gateway's own telemetry also arrives here, in batches.</summary>
    private static IEnumerable<ReceivedRequest> OfPages(BackendStub target) =>
        target.Requests.Where(request =>
            request.Target == "/v1/traces" && !request.Body.Contains("telemetry.sdk", StringComparison.Ordinal));

    /// <summary>The same spans, in the current second of this machine.</summary>
    private static string Now(string request) =>
        request.Replace("1800000000", $"{TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() - 1}", StringComparison.Ordinal);

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
