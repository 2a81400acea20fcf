namespace WebRtcIms.FlowView.Store;

/// <summary>An attribute as received: text, bool, long, double, octets as base64 text, or arrays and pairs of these.</summary>
internal readonly record struct Attribute(string Key, object? Value);

/// <summary>The sender: <c>service.name</c>, <c>service.instance.id</c> and its other resource attributes.</summary>
internal sealed record Source(string Service, string Instance, Attribute[] Attributes);

internal enum SpanKind
{
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// <summary>Times are nanoseconds since 1970, as in OTLP. <see cref="ParentId"/> is 0 for a root.</summary>
internal sealed record Span(
    UInt128 TraceId,
    ulong SpanId,
    ulong ParentId,
    string Name,
    SpanKind Kind,
    ulong Start,
    ulong End,
    Source Source,
    string Scope,
    Attribute[] Attributes,
    SpanEvent[] Events,
    SpanLink[] Links,
    bool IsError,
    string StatusMessage)
{
    /// <summary>Roughly the octets that this span occupies. The store's limit counts them.</summary>
    public int Size { get; } = 200 + SizeOf.Text(Name) + SizeOf.Text(StatusMessage) + SizeOf.All(Attributes)
        + Events.Sum(spanEvent => 60 + SizeOf.Text(spanEvent.Name) + SizeOf.All(spanEvent.Attributes))
        + Links.Sum(link => 60 + SizeOf.All(link.Attributes));
}

internal sealed record SpanEvent(ulong Time, string Name, Attribute[] Attributes);

internal sealed record SpanLink(UInt128 TraceId, ulong SpanId, Attribute[] Attributes);

/// <summary><see cref="Severity"/> as in OTLP: 1-4 trace, 5-8 debug, 9-12 information, 13-16 warning, 17-20 error, 21-24 fatal.</summary>
internal sealed record LogEntry(
    long Sequence, ulong Time, int Severity, string Text, string Category, UInt128 TraceId, ulong SpanId, Source Source,
    Attribute[] Attributes)
{
    public int Size { get; } = 160 + SizeOf.Text(Text) + SizeOf.All(Attributes);
}

/// <summary>Rough sizes in memory. Keys are shared by all attributes of that name and not counted.</summary>
internal static class SizeOf
{
    public static int Text(string text) => 24 + 2 * text.Length;

    public static int All(Attribute[] attributes) => 24 + attributes.Sum(attribute => 16 + Value(attribute.Value));

    private static int Value(object? value) => value switch
    {
        string text => Text(text),
        object?[] values => 24 + values.Sum(Value),
        Attribute[] pairs => All(pairs),
        _ => 24,
    };
}
