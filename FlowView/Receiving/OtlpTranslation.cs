using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Collections;
using WebRtcIms.FlowView.Otlp;
using WebRtcIms.FlowView.Store;
using Attribute = WebRtcIms.FlowView.Store.Attribute;
using Span = WebRtcIms.FlowView.Store.Span;

namespace WebRtcIms.FlowView.Receiving;

/// <summary>Translates OTLP messages into spans and log records. All attributes are kept.</summary>
internal sealed class OtlpTranslation(TimeProvider time)
{
    private const int MaxSources = 1000;

    private readonly TextPool _texts = new();

    // Each batch repeats the attributes of its sender.
    private readonly ConcurrentDictionary<Resource, Source> _sources = [];

    /// <summary>The spans, and how many had no usable ids.</summary>
    public (List<Span> Spans, int Invalid) Spans(ExportTraceServiceRequest request)
    {
        List<Span> spans = [];
        var invalid = 0;
        foreach (var ofResource in request.ResourceSpans)
        {
            var source = SourceOf(ofResource.Resource);
            foreach (var ofScope in ofResource.ScopeSpans)
            {
                var scope = _texts.Share(ofScope.Scope?.Name ?? "");
                foreach (var span in ofScope.Spans)
                {
                    if (Translate(span, source, scope) is { } translated) spans.Add(translated);
                    else invalid++;
                }
            }
        }
        return (spans, invalid);
    }

    public IEnumerable<LogEntry> Logs(ExportLogsServiceRequest request) =>
        from ofResource in request.ResourceLogs
        let source = SourceOf(ofResource.Resource)
        from ofScope in ofResource.ScopeLogs
        let category = _texts.Share(ofScope.Scope?.Name ?? "")
        from log in ofScope.LogRecords
        select new LogEntry(
            Sequence: 0,
            FirstOf(log.TimeUnixNano, log.ObservedTimeUnixNano, Now()),
            log.SeverityNumber,
            log.Body is null ? log.EventName : AttributeText.Of(ValueOf(log.Body)),
            category,
            TraceIdOf(log.TraceId),
            SpanIdOf(log.SpanId),
            source,
            AttributesOf(log.Attributes));

    private Span? Translate(Otlp.Span span, Source source, string scope)
    {
        var (traceId, spanId) = (TraceIdOf(span.TraceId), SpanIdOf(span.SpanId));
        if (traceId == 0 || spanId == 0) return null;

        return new Span(
            traceId,
            spanId,
            SpanIdOf(span.ParentSpanId),
            _texts.Share(span.Name),
            (SpanKind)span.Kind,
            span.StartTimeUnixNano,
            Math.Max(span.StartTimeUnixNano, span.EndTimeUnixNano),
            source,
            scope,
            AttributesOf(span.Attributes),
            [.. span.Events.Select(
                spanEvent => new SpanEvent(spanEvent.TimeUnixNano, _texts.Share(spanEvent.Name), AttributesOf(spanEvent.Attributes)))],
            [.. span.Links.Select(link => new SpanLink(TraceIdOf(link.TraceId), SpanIdOf(link.SpanId), AttributesOf(link.Attributes)))],
            span.Status?.Code == Status.Types.StatusCode.Error,
            span.Status?.Message ?? "");
    }

    private Source SourceOf(Resource? resource)
    {
        if (_sources.Count > MaxSources) _sources.Clear();
        return _sources.GetOrAdd(resource ?? new Resource(), Translate);
    }

    private Source Translate(Resource resource)
    {
        var attributes = AttributesOf(resource.Attributes);
        return new Source(Find("service.name", "unknown"), Find("service.instance.id", ""), attributes);

        string Find(string key, string fallback) =>
            attributes.FirstOrDefault(attribute => attribute.Key == key).Value is string { Length: > 0 } text ? text : fallback;
    }

    private Attribute[] AttributesOf(RepeatedField<KeyValue> pairs) =>
        pairs.Count == 0 ? [] : [.. pairs.Select(pair => new Attribute(_texts.Share(pair.Key), ValueOf(pair.Value)))];

    private object? ValueOf(AnyValue? value) => value?.ValueCase switch
    {
        AnyValue.ValueOneofCase.StringValue => _texts.Share(value.StringValue),
        AnyValue.ValueOneofCase.BoolValue => value.BoolValue,
        AnyValue.ValueOneofCase.IntValue => value.IntValue,
        AnyValue.ValueOneofCase.DoubleValue => value.DoubleValue,
        AnyValue.ValueOneofCase.ArrayValue => value.ArrayValue.Values.Select(ValueOf).ToArray(),
        AnyValue.ValueOneofCase.KvlistValue => AttributesOf(value.KvlistValue.Values),
        AnyValue.ValueOneofCase.BytesValue => value.BytesValue.ToBase64(),
        _ => null,
    };

    /// <summary>0 when it is not a trace id. In OTLP/JSON ids are hexadecimal where protobuf's JSON has base64.</summary>
    private static UInt128 TraceIdOf(ByteString octets) => octets.Length switch
    {
        16 => BinaryPrimitives.ReadUInt128BigEndian(octets.Span),
        24 when UInt128.TryParse(octets.ToBase64(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var id) => id,
        _ => 0,
    };

    private static ulong SpanIdOf(ByteString octets) => octets.Length switch
    {
        8 => BinaryPrimitives.ReadUInt64BigEndian(octets.Span),
        12 when ulong.TryParse(octets.ToBase64(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var id) => id,
        _ => 0,
    };

    private static ulong FirstOf(params ReadOnlySpan<ulong> times)
    {
        foreach (var candidate in times)
        {
            if (candidate != 0) return candidate;
        }
        return 0;
    }

    private ulong Now() => (ulong)(time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks * 100;
}
