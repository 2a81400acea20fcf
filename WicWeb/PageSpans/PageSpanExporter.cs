using System.Buffers.Binary;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Http.Headers;
using System.Threading.Channels;
using Google.Protobuf;
using OpenTelemetry;

namespace WebRtcIms.WicWeb.PageSpans;

/// <summary>
/// Sends the pages' spans where the services send theirs: to FlowView (<c>FlowView:Endpoint</c>) and to the collector that
/// OTEL_EXPORTER_OTLP_ENDPOINT names, over HTTP or gRPC as OTEL_EXPORTER_OTLP_PROTOCOL says. OpenTelemetry's own exporter takes only
/// spans that this process has made. What a collector does not take in time is dropped, and counted.
/// </summary>
internal sealed class PageSpanExporter : BackgroundService
{
    private const int QueueLength = 256;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(3);
    private static readonly Resource Page =
        new() { Attributes = { new KeyValue { Key = "service.name", Value = new AnyValue { StringValue = "wic" } } } };

    private static readonly InstrumentationScope Scope = new() { Name = "WebRtcIms.Wic" };

    private readonly Channel<byte[]>[] _queues;
    private readonly Target[] _targets;
    private readonly Counter<long> _dropped;
    private readonly HttpClient _client = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { Timeout = Limit };

    public PageSpanExporter(IConfiguration configuration, IMeterFactory factory)
    {
        _targets = [.. TargetsOf(configuration)];
        // One that is slow does not hold up the other.
        _queues = [.. _targets.Select(_ => Channel.CreateBounded<byte[]>(QueueLength))];
        _dropped = factory.Create("WebRtcIms.Wic")
            .CreateCounter<long>("wic.spans.dropped", description: "Batches of pages' spans that did not reach a collector, by reason");
    }

    /// <summary>Never waits.</summary>
    public void Send(IReadOnlyCollection<Span> spans)
    {
        if (spans.Count == 0) return;
        var request = new ExportTraceServiceRequest
        {
            ResourceSpans = { new ResourceSpans { Resource = Page, ScopeSpans = { new ScopeSpans { Scope = Scope, Spans = { spans } } } } },
        }.ToByteArray();
        foreach (var queue in _queues)
        {
            if (!queue.Writer.TryWrite(request)) Drop("queue_full");
        }
    }

    public override void Dispose()
    {
        _client.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(_targets.Zip(_queues, (target, queue) => SendAsync(target, queue.Reader, stoppingToken)));

    private async Task SendAsync(Target target, ChannelReader<byte[]> queue, CancellationToken stopping)
    {
        // Do not trace our own exports.
        using var _ = SuppressInstrumentationScope.Begin();
        await foreach (var request in queue.ReadAllAsync(stopping))
        {
            try
            {
                using var message = target.Request(request);
                using var answer = await _client.SendAsync(message, stopping);
                if (!answer.IsSuccessStatusCode) Drop("refused");
            }
            catch (Exception error) when (error is HttpRequestException or OperationCanceledException && !stopping.IsCancellationRequested)
            {
                Drop("no_answer");
            }
        }
    }

    private void Drop(string reason) => _dropped.Add(1, new KeyValuePair<string, object?>("reason", reason));

    private static IEnumerable<Target> TargetsOf(IConfiguration configuration)
    {
        if (configuration["FlowView:Endpoint"] is { Length: > 0 } flowView)
            yield return new(new Uri(new Uri(flowView), "v1/traces"), IsGrpc: false,
                FlowViewKey.Of(configuration) is { } key ? $"{FlowViewKey.Header}={Uri.EscapeDataString(key)}" : "");
        if (configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] is not { Length: > 0 } collector) yield break;
        // As in OpenTelemetry for .NET, gRPC unless something else is said.
        var isGrpc = configuration["OTEL_EXPORTER_OTLP_PROTOCOL"] is null or "" or "grpc";
        var path = isGrpc ? "opentelemetry.proto.collector.trace.v1.TraceService/Export" : "v1/traces";
        yield return new(new Uri($"{collector.TrimEnd('/')}/{path}"), isGrpc, configuration["OTEL_EXPORTER_OTLP_HEADERS"] ?? "");
    }

    private sealed record Target(Uri Address, bool IsGrpc, string Headers)
    {
        public HttpRequestMessage Request(byte[] octets)
        {
            var message =
                new HttpRequestMessage(HttpMethod.Post, Address) { Content = new ByteArrayContent(IsGrpc ? Framed(octets) : octets) };
            message.Content.Headers.ContentType = new MediaTypeHeaderValue(IsGrpc ? "application/grpc" : "application/x-protobuf");
            if (IsGrpc)
            {
                (message.Version, message.VersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
                message.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
            }

            foreach (var pair in Headers.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                if (pair.Split('=', 2) is [var name, var value])
                    message.Headers.TryAddWithoutValidation(name, Uri.UnescapeDataString(value));
            }
            return message;
        }

        // One uncompressed message (gRPC over HTTP/2, "Length-Prefixed-Message").
        private static byte[] Framed(byte[] octets)
        {
            var framed = new byte[5 + octets.Length];
            BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), octets.Length);
            octets.CopyTo(framed, 5);
            return framed;
        }
    }
}
