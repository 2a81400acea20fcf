using System.Globalization;
using Google.Protobuf;

namespace WebRtcIms.WicWeb.PageSpans;

/// <summary>
/// Reads a page's spans in OTLP/JSON. Any client can send this, so the reader copies only known span names and the attributes for the
/// step of the figure, the kind of a call, its packets and the code of a problem. The service is always <c>wic</c>.
/// </summary>
internal static class PageSpanReader
{
    public const string SetUp = "set up call";

    /// <summary>From the set-up to the end of the call.</summary>
    public const string InCall = "in call";

    public const string Received = "ims.media.packets_received";
    public const string Lost = "ims.media.packets_lost";

    private const int MaxSpans = 32;
    private const string StepKey = "ims.step";
    private const string ErrorKey = "error.type";
    private const string KindKey = "ims.call.kind";

    private static readonly HashSet<string> Names =
    [
        SetUp, InCall, "click call", "request TURN token", "configure peer connection", "allocate relay", "renew credentials",
        "register", "request registration token", "check connection",
    ];

    // Fields of a later version are not a mistake.
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    /// <summary>The spans that may be forwarded; null if they are not a page's.</summary>
    public static List<Span>? Read(string json)
    {
        try
        {
            var spans = Parser.Parse<ExportTraceServiceRequest>(json).ResourceSpans.SelectMany(ofResource => ofResource.ScopeSpans)
                .SelectMany(ofScope => ofScope.Spans).Take(MaxSpans + 1).ToList();
            var read = spans.Select(Read).OfType<Span>().ToList();
            return spans.Count <= MaxSpans && read.Count == spans.Count ? read : null;
        }
        catch (Exception error) when (error is InvalidProtocolBufferException or InvalidJsonException or FormatException)
        {
            return null;
        }
    }

    /// <summary>The step of figure X.5.3.2-1 that a span does; null for none.</summary>
    public static int? StepOf(Span span) => int.TryParse(Find(span, StepKey), CultureInfo.InvariantCulture, out var step) ? step : null;

    /// <summary>The result: <c>ok</c>, <c>failed</c>, or <c>cancelled</c> after a hang-up.</summary>
    public static string OutcomeOf(Span span) =>
        !IsError(span) ? "ok" : Find(span, ErrorKey) == "cancelled" ? "cancelled" : "failed";

    /// <summary>Why the span failed: a code of <see cref="PageErrors"/>; null if it did not fail.</summary>
    public static string? ErrorOf(Span span) => IsError(span) ? Find(span, ErrorKey) ?? PageErrors.Other : null;

    /// <summary>Packets, if the page has counted them.</summary>
    public static int? CountOf(Span span, string key) =>
        int.TryParse(Find(span, key), NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : null;

    /// <summary>Whether a span ended between two times and took no longer than <paramref name="longest"/>.</summary>
    public static bool IsWithin(Span span, DateTimeOffset earliest, DateTimeOffset latest, TimeSpan longest) =>
        span.EndTimeUnixNano >= Nanoseconds(earliest - DateTimeOffset.UnixEpoch)
            && span.EndTimeUnixNano <= Nanoseconds(latest - DateTimeOffset.UnixEpoch)
            && span.EndTimeUnixNano - span.StartTimeUnixNano <= Nanoseconds(longest);

    private static ulong Nanoseconds(TimeSpan span) => (ulong)span.Ticks * 100;

    private static bool IsError(Span span) => span.Status?.Code == Status.Types.StatusCode.Error;

    private static Span? Read(Span span)
    {
        if (IdOf(span.TraceId, 16) is not { } trace || IdOf(span.SpanId, 8) is not { } id || !Names.Contains(span.Name)) return null;
        if (span.EndTimeUnixNano < span.StartTimeUnixNano) return null;

        var read = new Span
        {
            TraceId = trace,
            SpanId = id,
            ParentSpanId = IdOf(span.ParentSpanId, 8) ?? ByteString.Empty,
            Name = span.Name,
            Kind = span.Kind == Span.Types.SpanKind.Client ? Span.Types.SpanKind.Client : Span.Types.SpanKind.Internal,
            StartTimeUnixNano = span.StartTimeUnixNano,
            EndTimeUnixNano = span.EndTimeUnixNano,
            Status = new Status { Code = IsError(span) ? Status.Types.StatusCode.Error : Status.Types.StatusCode.Unset },
        };
        if (StepOf(span) is { } step and >= 1 and <= 8)
            read.Attributes.Add(new KeyValue { Key = StepKey, Value = new AnyValue { IntValue = step } });
        if (Find(span, ErrorKey) is { } code)
        {
            var known = PageErrors.Codes.Contains(code) ? code : PageErrors.Other;
            read.Attributes.Add(new KeyValue { Key = ErrorKey, Value = new AnyValue { StringValue = known } });
        }

        if (Find(span, KindKey) is "echo" or "person" or "demo_line")
            read.Attributes.Add(new KeyValue { Key = KindKey, Value = new AnyValue { StringValue = Find(span, KindKey) } });
        foreach (var key in (string[])[Received, Lost])
        {
            if (CountOf(span, key) is { } count)
                read.Attributes.Add(new KeyValue { Key = key, Value = new AnyValue { IntValue = count } });
        }

        return read;
    }

    private static string? Find(Span span, string key) => span.Attributes.FirstOrDefault(attribute => attribute.Key == key)?.Value switch
    {
        { ValueCase: AnyValue.ValueOneofCase.StringValue } text => text.StringValue,
        { ValueCase: AnyValue.ValueOneofCase.IntValue } number => number.IntValue.ToString(CultureInfo.InvariantCulture),
        _ => null,
    };

    // OTLP/JSON ids are hexadecimal, but the protobuf parser has decoded them as base64.
    private static ByteString? IdOf(ByteString octets, int length)
    {
        var hex = octets.ToBase64();
        return hex.Length == 2 * length && hex.All(char.IsAsciiHexDigit) && hex.Any(digit => digit != '0')
            ? ByteString.CopyFrom(Convert.FromHexString(hex)) : null;
    }
}
