using System.Globalization;
using Google.Protobuf;
using WebRtcIms.FlowView.Otlp;

namespace WebRtcIms.FlowView.Tests;

/// <summary>Spans and logs as a sender makes them. Trace and span ids are made from small numbers.</summary>
internal static class Samples
{
    public const ulong Start = 1_800_000_000_000_000_000;
    private const ulong Millisecond = 1_000_000;

    public static string TraceId(int number) => number.ToString("x32", CultureInfo.InvariantCulture);

    public static Span Span(
        int trace, int span, string name = "work", int parent = 0, ulong atMs = 0, ulong tookMs = 10, string? error = null,
        params (string Key, object Value)[] attributes)
    {
        var made = new Span
        {
            TraceId = ByteString.CopyFrom(Convert.FromHexString(TraceId(trace))),
            SpanId = SpanId(span),
            ParentSpanId = parent == 0 ? ByteString.Empty : SpanId(parent),
            Name = name,
            Kind = Otlp.Span.Types.SpanKind.Server,
            StartTimeUnixNano = Start + atMs * Millisecond,
            EndTimeUnixNano = Start + (atMs + tookMs) * Millisecond,
        };
        if (error is not null) made.Status = new Status { Code = Status.Types.StatusCode.Error, Message = error };
        made.Attributes.AddRange(attributes.Select(attribute => Pair(attribute.Key, attribute.Value)));
        return made;
    }

    public static ExportTraceServiceRequest Of(string service, params IEnumerable<Span> spans)
    {
        var scope = new ScopeSpans { Scope = new InstrumentationScope { Name = "tests" } };
        scope.Spans.AddRange(spans);
        var resource = new ResourceSpans { Resource = Service(service) };
        resource.ScopeSpans.Add(scope);
        return new ExportTraceServiceRequest { ResourceSpans = { resource } };
    }

    public static ExportLogsServiceRequest Log(string service, string text, int trace, int severity = 9) => new()
    {
        ResourceLogs =
        {
            new ResourceLogs
            {
                Resource = Service(service),
                ScopeLogs =
                {
                    new ScopeLogs
                    {
                        LogRecords =
                        {
                            new LogRecord
                            {
                                TimeUnixNano = Start,
                                SeverityNumber = severity,
                                Body = new AnyValue { StringValue = text },
                                TraceId = ByteString.CopyFrom(Convert.FromHexString(TraceId(trace))),
                                SpanId = SpanId(1),
                            },
                        },
                    },
                },
            },
        },
    };

    public static KeyValue Pair(string key, object value) => new() { Key = key, Value = Value(value) };

    private static AnyValue Value(object value) => value switch
    {
        string text => new AnyValue { StringValue = text },
        bool truth => new AnyValue { BoolValue = truth },
        int number => new AnyValue { IntValue = number },
        double number => new AnyValue { DoubleValue = number },
        string[] texts => new AnyValue { ArrayValue = new ArrayValue { Values = { texts.Select(Value) } } },
        _ => throw new ArgumentException($"no sample for {value.GetType()}", nameof(value)),
    };

    private static Resource Service(string name) =>
        new() { Attributes = { Pair("service.name", name), Pair("service.instance.id", $"{name}-1"), Pair("team", "relay") } };

    private static ByteString SpanId(int number) =>
        ByteString.CopyFrom(Convert.FromHexString(number.ToString("x16", CultureInfo.InvariantCulture)));
}
