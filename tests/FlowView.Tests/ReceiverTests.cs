using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using WebRtcIms.FlowView.Otlp;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.FlowView.Tests;

/// <summary>What OTLP/HTTP asks of a receiver, and what a receiver must survive.</summary>
public sealed class ReceiverTests
{
    [Theory, InlineData(false), InlineData(true)]
    [Requirement("OTLP-HTTP-1")]
    public async Task Spans_AreTakenAndAnsweredInProtobuf(bool gzip)
    {
        using var app = new FlowViewApp();
        using var client = app.Start();

        using var answer =
            await client.SendAsync("/v1/traces", Samples.Of("waf", Samples.Span(1, 1, attributes: ("turn.kid", "k1"))), gzip);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("application/x-protobuf", answer.Content.Headers.ContentType?.MediaType);
        Assert.Null(ExportTraceServiceResponse.Parser.ParseFrom(await Octets(answer)).PartialSuccess);
        var trace = await client.GetJsonAsync($"/flow/api/traces/{Samples.TraceId(1)}");
        Assert.Equal("k1", trace.GetProperty("spans")[0].Text("attributes", "turn.kid"));
    }

    [Fact]
    [Requirement("OTLP-JSON-1")]
    public async Task Json_WithHexadecimalIds_IsTakenAndAnsweredInJson()
    {
        using var app = new FlowViewApp();
        using var client = app.Start();
        const string request = """
            {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"wic"}}]},
              "scopeSpans":[{"scope":{"name":"page","later":1},"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174",
                "name":"click","kind":1,"startTimeUnixNano":"1800000000000000000","endTimeUnixNano":"1800000000005000000",
                "attributes":[{"key":"ims.step","value":{"intValue":"1"}},{"key":"later","value":{"doubleValue":1.5}}],"status":{"code":2,"message":"no"}}]}]}]}
            """;

        using var answer = await client.SendAsync("/v1/traces", Encoding.UTF8.GetBytes(request), "application/json; charset=utf-8");

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        Assert.Equal("{}", Encoding.UTF8.GetString(await Octets(answer)).Replace(" ", "", StringComparison.Ordinal));
        var span = (await client.GetJsonAsync("/flow/api/traces/5b8efff798038103d269b633813fc60c")).GetProperty("spans")[0];
        Assert.Equal("eee19b7ec3c1b174", span.Text("id"));
        Assert.Equal("1", span.Text("attributes", "ims.step"));
        Assert.Equal("true", span.Text("error"));
        Assert.Equal(5, span.GetProperty("duration").GetDouble(), 3);
    }

    [Fact]
    [Requirement("OTLP-HTTP-2")]
    public async Task SpansWithoutUsableIds_AreRefusedAsAPartialSuccess()
    {
        using var app = new FlowViewApp();
        using var client = app.Start();
        var noTrace = Samples.Span(1, 2);
        noTrace.TraceId = ByteString.Empty;
        var shortId = Samples.Span(1, 3);
        shortId.SpanId = ByteString.CopyFrom(1, 2, 3);

        using var answer =
            await client.SendAsync("/v1/traces", Samples.Of("waf", Samples.Span(1, 1), noTrace, shortId, Samples.Span(1, 0)));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var partial = ExportTraceServiceResponse.Parser.ParseFrom(await Octets(answer)).PartialSuccess;
        Assert.Equal(3, partial.RejectedSpans);
        Assert.Contains("id", partial.ErrorMessage, StringComparison.Ordinal);
        Assert.Single((await client.GetJsonAsync($"/flow/api/traces/{Samples.TraceId(1)}")).GetProperty("spans").EnumerateArray());
    }

    [Theory, InlineData("/v1/traces"), InlineData("/v1/logs"), InlineData("/v1/metrics")]
    public async Task Garbage_Is400AndLeavesNothing(string path)
    {
        using var app = new FlowViewApp();
        using var client = app.Start();
        byte[] garbage = [0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0x01, 0x02];

        Assert.Equal(HttpStatusCode.BadRequest, await StatusOf(client.SendAsync(path, garbage)));
        Assert.Equal(HttpStatusCode.BadRequest,
            await StatusOf(client.SendAsync(path, "{\"resourceSpans\":[[["u8.ToArray(), "application/json")));
        Assert.Equal(HttpStatusCode.BadRequest,
            await StatusOf(client.SendAsync(path, [.. Enumerable.Repeat((byte)'[', 100_000)], "application/json")));
        Assert.Equal(HttpStatusCode.BadRequest, await StatusOf(SendAsGzip(client, path, garbage)));

        Assert.Equal("0", (await client.GetJsonAsync("/flow/api/usage")).Text("traces"));
    }

    [Fact]
    public async Task EveryTruncation_Is400OrAValidShorterRequest_AndNeverAServerError()
    {
        using var app = new FlowViewApp();
        using var client = app.Start();
        var request = Samples.Of("waf", Samples.Span(1, 1, attributes: ("key", "value"))).ToByteArray();
        for (var length = 1; length < request.Length; length++)
            Assert.Equal(HttpStatusCode.BadRequest, await StatusOf(client.SendAsync("/v1/traces", request[..length])));

        var packed = Sending.Pack(request);
        for (var length = 1; length < packed.Length; length += 7)
            Assert.NotEqual(HttpStatusCode.InternalServerError, await StatusOf(SendAsGzip(client, "/v1/traces", packed[..length])));
        Assert.Equal(HttpStatusCode.OK, await StatusOf(SendAsGzip(client, "/v1/traces", packed)));
    }

    [Fact]
    public async Task AttributesNestedWithoutEnd_Are400()
    {
        using var app = new FlowViewApp();
        using var client = app.Start();
        var value = new AnyValue { StringValue = "core" };
        for (var depth = 0; depth < 500; depth++) value = new AnyValue { ArrayValue = new ArrayValue { Values = { value } } };
        var span = Samples.Span(1, 1);
        span.Attributes.Add(new KeyValue { Key = "deep", Value = value });

        Assert.Equal(HttpStatusCode.BadRequest, await StatusOf(client.SendAsync("/v1/traces", Samples.Of("waf", span))));
    }

    [Theory, InlineData("text/plain"), InlineData("application/octet-stream"), InlineData("multipart/form-data; boundary=x")]
    public async Task AnotherContentType_Is415(string type)
    {
        using var app = new FlowViewApp();
        using var client = app.Start();

        Assert.Equal(HttpStatusCode.UnsupportedMediaType, await StatusOf(client.SendAsync("/v1/traces", [], type)));
    }

    [Fact]
    public async Task AnotherEncoding_Is415()
    {
        using var app = new FlowViewApp();
        using var client = app.Start();
        using var content =
            new ByteArrayContent([1, 2, 3]) { Headers = { { "Content-Type", "application/x-protobuf" }, { "Content-Encoding", "zstd" } } };

        Assert.Equal(HttpStatusCode.UnsupportedMediaType,
            await StatusOf(client.PostAsync("/v1/traces", content, TestContext.Current.CancellationToken)));
    }

    [Fact]
    public async Task HundredMegabytesDeclared_Is413BeforeAnyOfThemIsRead()
    {
        using var app = new FlowViewApp();
        using var client = app.Start();
        using var socket = new TcpClient();
        await socket.ConnectAsync("127.0.0.1", client.BaseAddress!.Port, TestContext.Current.CancellationToken);
        var stream = socket.GetStream();
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(
                $"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: "
                + $"{100 * 1024 * 1024}\r\n\r\n"),
            TestContext.Current.CancellationToken);

        using var reader = new StreamReader(stream);
        Assert.Equal("HTTP/1.1 413 Payload Too Large", await reader.ReadLineAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task HundredMegabytesInChunks_Are413WhenTheLimitIsReached_AndTheRestIsNotTaken()
    {
        using var app = new FlowViewApp().With("FlowView:RequestMegabytes", "8");
        using var client = app.Start();
        using var socket = new TcpClient();
        await socket.ConnectAsync("127.0.0.1", client.BaseAddress!.Port, TestContext.Current.CancellationToken);
        var stream = socket.GetStream();
        await stream.WriteAsync(
            "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray(),
            TestContext.Current.CancellationToken);
        using var reader = new StreamReader(stream);
        var answered = reader.ReadLineAsync(TestContext.Current.CancellationToken).AsTask();

        byte[] chunk = [.. "10000\r\n"u8, .. new byte[0x10000], .. "\r\n"u8];
        var taken = 0L;
        try
        {
            for (; taken < 100 * 1024 * 1024 && !answered.IsCompleted; taken += 0x10000)
                await stream.WriteAsync(chunk, TestContext.Current.CancellationToken);
        }
        catch (IOException)
        {
            // The server may close the connection after its answer.
        }

        Assert.Equal("HTTP/1.1 413 Payload Too Large", await answered);
        // The server's limit, and the buffers of the operating system for one connection.
        Assert.InRange(taken, 8 * 1024 * 1024, 24 * 1024 * 1024);
        Assert.Equal("0", (await client.GetJsonAsync("/flow/api/usage")).Text("traces"));
    }

    [Fact]
    public async Task SmallRequestThatUnpacksToMuch_Is413()
    {
        using var app = new FlowViewApp().With("FlowView:RequestMegabytes", "1");
        using var client = app.Start();

        // The server refuses by the length and closes. A client that goes on sending would see the close before the answer.
        client.DefaultRequestHeaders.ExpectContinue = true;

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge,
            await StatusOf(client.SendAsync("/v1/traces", new byte[50 * 1024 * 1024], gzip: true)));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, await StatusOf(client.SendAsync("/v1/traces", new byte[1024 * 1024 + 1])));
    }

    [Fact]
    public async Task TextsThatAreNoUnicode_DoNotBreakTheAnswers()
    {
        using var app = new FlowViewApp();
        using var client = app.Start();
        const string request =
            """{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","name":"a\ud800b","attributes":[{"key":"n","value":{"doubleValue":"NaN"}}]}]}]}]}""";

        using var answer = await client.SendAsync("/v1/traces", Encoding.UTF8.GetBytes(request), "application/json");

        Assert.True((int)answer.StatusCode < 500);
        Assert.Equal(JsonValueKind.Array, (await client.GetJsonAsync("/flow/api/traces")).GetProperty("traces").ValueKind);
    }

    [Fact]
    public async Task Logs_AreKeptWithTheirTrace()
    {
        using var app = new FlowViewApp();
        using var client = app.Start();
        await client.SendAsync("/v1/traces", Samples.Of("turn", Samples.Span(7, 1)));

        Assert.Equal(HttpStatusCode.OK, await StatusOf(client.SendAsync("/v1/logs", Samples.Log("turn", "relay is up", 7))));

        var log = (await client.GetJsonAsync($"/flow/api/traces/{Samples.TraceId(7)}")).GetProperty("logs")[0];
        Assert.Equal(("relay is up", "0000000000000001"), (log.Text("text"), log.Text("span")));
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/x-protobuf")]
    public async Task Metrics_AreAcceptedAndDiscarded(string type)
    {
        using var app = new FlowViewApp();
        using var client = app.Start();
        // A gauge `g` without points.
        byte[] metrics = type == "application/json"
            ? """{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"g","gauge":{"dataPoints":[]}}]}]}]}"""u8.ToArray()
            : [0x0A, 0x09, 0x12, 0x07, 0x12, 0x05, 0x0A, 0x01, (byte)'g', 0x2A, 0x00];

        using var answer = await client.SendAsync("/v1/metrics", metrics, type, gzip: true);

        Assert.Equal((HttpStatusCode.OK, type), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
    }

    private static async Task<HttpStatusCode> StatusOf(Task<HttpResponseMessage> sending)
    {
        using var answer = await sending;
        return answer.StatusCode;
    }

    private static async Task<HttpResponseMessage> SendAsGzip(HttpClient client, string path, byte[] octets)
    {
        using var content =
            new ByteArrayContent(octets) { Headers = { { "Content-Type", "application/x-protobuf" }, { "Content-Encoding", "gzip" } } };
        return await client.PostAsync(path, content, TestContext.Current.CancellationToken);
    }

    private static Task<byte[]> Octets(HttpResponseMessage answer) =>
        answer.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken);
}
