using System.Threading.RateLimiting;
using Google.Protobuf;
using WebRtcIms.FlowView.Otlp;
using WebRtcIms.FlowView.Query;
using WebRtcIms.FlowView.Settings;
using WebRtcIms.FlowView.Store;
using WebRtcIms.ServiceDefaults;

namespace WebRtcIms.FlowView.Receiving;

/// <summary>
/// <c>POST /v1/traces</c>, <c>/v1/logs</c> and <c>/v1/metrics</c>: OTLP 1.x over HTTP, protobuf or JSON, plain or in a content coding.
/// Answers 200 (with a partial success if some items were refused), 400 for a body that cannot be read, 413, 415, and 503
/// with Retry-After if too many requests come at once. The body of a failure is a google.rpc.Status. Metrics are checked and discarded:
/// a sender that exports everything to one address must not fail.
/// </summary>
internal sealed class OtlpReceiver(TraceStore traces, LogStore logs, OtlpTranslation translation, LiveFeed feed, FlowViewSettings settings)
{
    private const string Protobuf = "application/x-protobuf";
    private const string Json = "application/json";

    // With the limit of a request this bounds the memory of requests in progress.
    private const int RequestsAtOnce = 8;
    private const int RequestsWaiting = 64;
    private const string RetryAfterSeconds = "1";

    // OTLP/JSON: fields of a later version are not a mistake.
    private static readonly JsonParser JsonParser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));
    private static readonly JsonFormatter JsonFormatter = new(JsonFormatter.Settings.Default);

    public static void AddTo(WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<OtlpTranslation>();
        builder.Services.AddSingleton<OtlpReceiver>();
        builder.Services.AddRateLimiter(limiter =>
        {
            limiter.AddPolicy("otlp", _ => RateLimitPartition.GetConcurrencyLimiter("otlp", _ => new ConcurrencyLimiterOptions
            {
                PermitLimit = RequestsAtOnce,
                QueueLimit = RequestsWaiting,
            }));
            limiter.OnRejected = (context, _) =>
            {
                context.HttpContext.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                context.HttpContext.Response.Headers.RetryAfter = RetryAfterSeconds;
                return ValueTask.CompletedTask;
            };
        });
    }

    public static void MapTo(WebApplication app)
    {
        var receiver = app.Services.GetRequiredService<OtlpReceiver>();
        var routes = app.MapGroup("/v1").RequireRateLimiting("otlp").WithMetadata(new BodyFormat.Decoded());
        routes.MapPost("/traces", request => receiver.ReceiveAsync(request, ExportTraceServiceRequest.Parser, receiver.Handle));
        routes.MapPost("/logs", request => receiver.ReceiveAsync(request, ExportLogsServiceRequest.Parser, receiver.Handle));
        routes.MapPost("/metrics",
            request => receiver.ReceiveAsync(request, ExportMetricsServiceRequest.Parser, _ => new ExportMetricsServiceResponse()));
    }

    private async Task ReceiveAsync<TRequest>(HttpContext context, MessageParser<TRequest> parser, Func<TRequest, IMessage> handle)
        where TRequest : IMessage<TRequest>, new()
    {
        var type = MediaTypeOf(context.Request);
        if (type is null)
        {
            await FailAsync(context.Response, Protobuf, StatusCodes.Status415UnsupportedMediaType,
                $"Content-Type must be {Protobuf} or {Json}.");
            return;
        }

        var body = await RequestBody.ReadAsync(context.Request, settings.RequestOctets);
        if (body.Status != StatusCodes.Status200OK)
        {
            await FailAsync(context.Response, type, body.Status, body.Problem);
            return;
        }

        IMessage answer;
        try
        {
            answer = handle(type == Json ? ParseJson<TRequest>(body.Octets) : parser.ParseFrom(body.Octets));
        }
        catch (Exception error) when (error is InvalidProtocolBufferException or InvalidJsonException or FormatException)
        {
            await FailAsync(context.Response, type, StatusCodes.Status400BadRequest, "The body is not an OTLP request of this kind.");
            return;
        }
        await WriteAsync(context.Response, type, StatusCodes.Status200OK, answer);
    }

    private ExportTraceServiceResponse Handle(ExportTraceServiceRequest request)
    {
        var (spans, invalid) = translation.Spans(request);
        var refused = traces.Add(spans);
        feed.Notify(spans.Select(span => span.TraceId));
        var answer = new ExportTraceServiceResponse();
        if (invalid + refused > 0)
        {
            answer.PartialSuccess = new ExportTracePartialSuccess
            {
                RejectedSpans = invalid + refused,
                ErrorMessage = invalid > 0
                ? "A span needs a trace id of 16 octets and a span id of 8, not all zero."
                : "The trace is larger than a tenth of the store.",
            };
        }
        return answer;
    }

    private ExportLogsServiceResponse Handle(ExportLogsServiceRequest request)
    {
        var entries = translation.Logs(request).ToList();
        logs.Add(entries);
        feed.Notify(entries.Select(entry => entry.TraceId));
        return new ExportLogsServiceResponse();
    }

    private static TRequest ParseJson<TRequest>(byte[] octets)
        where TRequest : IMessage<TRequest>, new()
    {
        using var reader = new StreamReader(new MemoryStream(octets));
        return JsonParser.Parse<TRequest>(reader);
    }

    private static string? MediaTypeOf(HttpRequest request) =>
        request.ContentType?.Split(';', 2)[0].Trim().ToLowerInvariant() switch
        {
            Protobuf => Protobuf,
            Json => Json,
            _ => null,
        };

    private static Task FailAsync(HttpResponse response, string type, int status, string message) =>
        WriteAsync(response, type, status, new RpcStatus { Message = message });

    private static async Task WriteAsync(HttpResponse response, string type, int status, IMessage message)
    {
        response.StatusCode = status;
        response.ContentType = type;
        var octets = type == Json ? System.Text.Encoding.UTF8.GetBytes(JsonFormatter.Format(message)) : message.ToByteArray();
        response.ContentLength = octets.Length;
        await response.Body.WriteAsync(octets);
    }
}
