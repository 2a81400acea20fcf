using System.Collections.Concurrent;
using System.IO.Compression;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace WebRtcIms.EndToEnd.Tests.Telemetry;

/// <summary>
/// An OpenTelemetry collector for tests. It accepts OTLP over http/protobuf on a loopback port and keeps the spans. It also keeps the
/// octets of all requests, so that a test can search them for secrets.
/// </summary>
public sealed class OtlpCollector : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<byte[]> _payloads = [];
    private readonly ConcurrentQueue<SpanRecord> _spans = [];

    private OtlpCollector(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.Single());

    public IReadOnlyCollection<SpanRecord> Spans => _spans;

    public IReadOnlyCollection<byte[]> Payloads => _payloads;

    public static async Task<OtlpCollector> StartAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var collector = new OtlpCollector(builder.Build());
        collector._app.MapPost("/v1/{signal}", collector.ReceiveAsync);
        await collector._app.StartAsync();
        return collector;
    }

    /// <summary>Waits until the spans of a trace fulfil a condition. Otherwise the test fails and shows them.</summary>
    public async Task<IReadOnlyList<SpanRecord>> WaitForAsync(
        string traceId, Func<IReadOnlyList<SpanRecord>, bool> condition, TimeSpan timeout)
    {
        using var limit = new CancellationTokenSource(timeout);
        while (true)
        {
            var trace = _spans.Where(span => span.TraceId == traceId).ToList();
            if (condition(trace)) return trace;
            if (limit.IsCancellationRequested) Assert.Fail($"After {timeout} the trace {traceId} has:\n{string.Join('\n', trace)}");
            await Task.Delay(TimeSpan.FromMilliseconds(100), CancellationToken.None);
        }
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task<IResult> ReceiveAsync(string signal, HttpRequest request)
    {
        await using var body = request.Headers.ContentEncoding == "gzip"
            ? new GZipStream(request.Body, CompressionMode.Decompress)
            : request.Body;
        using var octets = new MemoryStream();
        await body.CopyToAsync(octets);
        _payloads.Enqueue(octets.ToArray());
        if (signal == "traces")
        {
            foreach (var span in OtlpReader.ReadSpans(octets.ToArray())) _spans.Enqueue(span);
        }

        return Results.Bytes([], "application/x-protobuf");
    }
}
