using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using WebRtcIms.FlowView.Calls;
using WebRtcIms.FlowView.Store;

namespace WebRtcIms.FlowView.Query;

/// <summary>A search for calls. A call fits if it fits each condition that is given.</summary>
internal sealed record CallQuery
{
    private const int MaxLimit = 1000;

    /// <summary>
    /// Words. Each must be in the trace id, in a pseudonym, in the name, message or an attribute of a span, or in a log record.
    /// </summary>
    public string? Text { get; init; }

    /// <summary>A <see cref="CallOutcome"/> in snake_case.</summary>
    public string? Outcome { get; init; }

    /// <summary>A <see cref="CallKind"/> in snake_case.</summary>
    public string? Kind { get; init; }

    /// <summary>A part that the call went through, by its <c>service.name</c>, or a database, such as <c>redis</c>.</summary>
    public string? Part { get; init; }

    /// <summary>Shortest duration of the trace, milliseconds.</summary>
    [FromQuery(Name = "min_ms")]
    public double? MinMs { get; init; }

    /// <summary>Longest duration of the trace, milliseconds.</summary>
    [FromQuery(Name = "max_ms")]
    public double? MaxMs { get; init; }

    /// <summary>Earliest start.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Latest start.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary><c>key=value</c>, or <c>key</c> for any value: an attribute of one of the spans or of its sender.</summary>
    public string? Attribute { get; init; }

    /// <summary>True: also traces that are neither a call nor signalling.</summary>
    public bool? Other { get; init; }

    /// <summary>The length of a page, at most; 50 when not given.</summary>
    public int? Limit { get; init; }

    /// <summary>The number of the page, from 1.</summary>
    public int? Page { get; init; }

    /// <summary>The number of an arrival: later traces are left out, so that pages do not move while calls arrive.</summary>
    public long? Until { get; init; }

    public int PageLength => Math.Clamp(Limit ?? 50, 1, MaxLimit);

    public int Skipped => (int)Math.Min((long)PageLength * (Math.Max(Page ?? 1, 1) - 1), int.MaxValue);

    /// <summary>Whether a trace is a call or signalling.</summary>
    public static bool IsCall(Trace trace) => trace.Derived(Call.Of).Kind != CallKind.Other;

    /// <summary>Why the search cannot be understood; null if it can.</summary>
    public string? Problem =>
        !string.IsNullOrEmpty(Outcome) && !NamesOf<CallOutcome>().Contains(Outcome)
            ? $"The outcome is one of {string.Join(", ", NamesOf<CallOutcome>())}."
        : !string.IsNullOrEmpty(Kind) && !NamesOf<CallKind>().Contains(Kind)
            ? $"The kind is one of {string.Join(", ", NamesOf<CallKind>())}."
        : Attribute?.Split('=')[0].AsSpan().IndexOfAny("<>! ") >= 0 ? "The attribute is key=value, or key for any value."
        : null;

    public Func<Trace, bool> FilterWith(LogStore logs)
    {
        var words = (Text ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(word => (Text: word, InLogs: logs.TracesWith(word))).ToList();
        var attribute = string.IsNullOrWhiteSpace(Attribute) ? null : Attribute.Split('=', 2, StringSplitOptions.TrimEntries);
        return trace => Fits(trace)
            && (attribute is null || HasAttribute(trace, attribute))
            && words.TrueForAll(word => word.InLogs.Contains(trace.Id) || HasText(trace, word.Text));
    }

    private bool Fits(Trace trace)
    {
        var call = trace.Derived(Call.Of);
        return (string.IsNullOrEmpty(Kind) ? Other is true || call.Kind != CallKind.Other : Kind == NameOf(call.Kind))
            && (string.IsNullOrEmpty(Outcome) || Outcome == NameOf(call.Outcome))
            && !(trace.Arrival > Until)
            && !(Json.Milliseconds(trace.Duration) < MinMs)
            && !(Json.Milliseconds(trace.Duration) > MaxMs)
            && !(Json.Milliseconds(trace.Start) < From?.ToUnixTimeMilliseconds())
            && !(Json.Milliseconds(trace.Start) > To?.ToUnixTimeMilliseconds())
            && (string.IsNullOrEmpty(Part) || trace.Spans.Any(span => span.Source.Service == Part || Database(span) == Part));
    }

    private static bool HasText(Trace trace, string word) =>
        Contains(Json.TraceId(trace.Id), word)
        || trace.Derived(Call.Of).Who.Any(person => Contains(person, word))
        || trace.Spans.Any(span => Contains(span.Name, word) || Contains(span.StatusMessage, word)
            || Array.Exists(span.Attributes, attribute => Contains(AttributeText.Of(attribute.Value), word)));

    private static bool Contains(string text, string word) => text.Contains(word, StringComparison.OrdinalIgnoreCase);

    private static string Database(Span span) =>
        AttributeText.Of(Array.Find(span.Attributes, attribute => attribute.Key == "db.system.name").Value);

    private static IEnumerable<string> NamesOf<T>()
        where T : struct, Enum => Enum.GetValues<T>().Select(NameOf);

    private static string NameOf<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    private static bool HasAttribute(Trace trace, string[] keyAndValue) =>
        trace.Spans.Any(span => Has(span.Attributes, keyAndValue) || Has(span.Source.Attributes, keyAndValue));

    private static bool Has(Store.Attribute[] attributes, string[] keyAndValue)
    {
        foreach (var attribute in attributes)
        {
            if (attribute.Key == keyAndValue[0]
                && (keyAndValue.Length == 1
                || string.Equals(AttributeText.Of(attribute.Value), keyAndValue[1], StringComparison.OrdinalIgnoreCase)))
                return true;
        }
        return false;
    }
}
