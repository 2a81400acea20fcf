using Google.Protobuf;

namespace WebRtcIms.EndToEnd.Tests.Telemetry;

/// <summary>A span from OTLP. Ids are in lower-case hexadecimal; the parent of a root is empty.</summary>
public sealed record SpanRecord(
    string Service, string Source, string Name, string TraceId, string SpanId, string ParentSpanId, IReadOnlyDictionary<string,
    string> Attributes)
{
    public override string ToString() => $"{Service,-8} {SpanId} < {ParentSpanId,-16} {Source} '{Name}'";
}

/// <summary>Reads the fields that the tests need from an ExportTraceServiceRequest, by their numbers in the OTLP protocol.</summary>
internal static class OtlpReader
{
    public static IEnumerable<SpanRecord> ReadSpans(byte[] request)
    {
        foreach (var resourceSpans in Messages(request, 1))
        {
            var service = Messages(resourceSpans, 1).SelectMany(resource => ReadAttributes(resource, 1))
                .FirstOrDefault(pair => pair.Key == "service.name").Value ?? "";
            foreach (var scopeSpans in Messages(resourceSpans, 2))
            {
                var source = Messages(scopeSpans, 1).SelectMany(scope => Messages(scope, 1)).Select(Text).FirstOrDefault() ?? "";
                foreach (var span in Messages(scopeSpans, 2)) yield return ReadSpan(span, service, source);
            }
        }
    }

    private static SpanRecord ReadSpan(byte[] span, string service, string source) => new(
        service,
        source,
        Text(Messages(span, 5).FirstOrDefault() ?? []),
        Hex(span, 1),
        Hex(span, 2),
        Hex(span, 4),
        ReadAttributes(span, 9).DistinctBy(pair => pair.Key).ToDictionary());

    private static IEnumerable<KeyValuePair<string, string>> ReadAttributes(byte[] message, int field) =>
        Messages(message, field).Select(pair => KeyValuePair.Create(
            Text(Messages(pair, 1).FirstOrDefault() ?? []),
            Messages(pair, 2).Select(ReadValue).FirstOrDefault() ?? ""));

    /// <summary>AnyValue: text is field 1, a boolean 2, a whole number 3.</summary>
    private static string ReadValue(byte[] value)
    {
        using var input = new CodedInputStream(value);
        return (input.ReadTag() >> 3) switch
        {
            1 => input.ReadString(),
            2 => input.ReadBool().ToString(),
            3 => input.ReadInt64().ToString(System.Globalization.CultureInfo.InvariantCulture),
            _ => "",
        };
    }

    private static string Hex(byte[] message, int field) => Convert.ToHexStringLower(Messages(message, field).FirstOrDefault() ?? []);

    private static string Text(byte[] octets) => System.Text.Encoding.UTF8.GetString(octets);

    /// <summary>The length-delimited fields with this number.</summary>
    private static List<byte[]> Messages(byte[] message, int field)
    {
        var found = new List<byte[]>();
        using var input = new CodedInputStream(message);
        for (var tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
        {
            if (tag == WireFormat.MakeTag(field, WireFormat.WireType.LengthDelimited)) found.Add(input.ReadBytes().ToByteArray());
            else input.SkipLastField();
        }

        return found;
    }
}
