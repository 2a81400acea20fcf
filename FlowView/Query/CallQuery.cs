using System.Text.Json;
using Microsoft.AspNetCore.Mvc;
using WebRtcIms.FlowView.Calls;
using WebRtcIms.FlowView.Store;

namespace WebRtcIms.FlowView.Query;

/// <summary>A search for calls. A call fits if it fits each parameter that is given.</summary>
/// <param name="Who">A part of a person's pseudonym, such as <c>guest</c> or <c>guest 3f0a</c>; or a whole trace id.</param>
/// <param name="Outcome">A <see cref="CallOutcome"/> in snake_case.</param>
/// <param name="Kind">A <see cref="CallKind"/> in snake_case.</param>
/// <param name="MinMs">Shortest duration of the trace, milliseconds.</param>
/// <param name="MaxMs">Longest duration of the trace, milliseconds.</param>
/// <param name="From">Earliest start.</param>
/// <param name="To">Latest start.</param>
/// <param name="Attribute"><c>key=value</c>, or <c>key</c> for any value: an attribute of one of the spans or of its sender.</param>
/// <param name="Other">True: also traces that are neither a call nor signalling.</param>
/// <param name="Limit">The length of the list, at most; 50 when not given.</param>
internal sealed record CallQuery(
    string? Who, string? Outcome, string? Kind,
    [FromQuery(Name = "min_ms")] double? MinMs,
    [FromQuery(Name = "max_ms")] double? MaxMs,
    DateTimeOffset? From, DateTimeOffset? To, string? Attribute, bool? Other, int? Limit)
{
    private const int MaxLimit = 1000;

    public int PageLength => Math.Clamp(Limit ?? 50, 1, MaxLimit);

    public bool Fits(Trace trace)
    {
        var call = trace.Derived(Call.Of);
        return (string.IsNullOrEmpty(Kind) ? Other is true || call.Kind != CallKind.Other : Kind == NameOf(call.Kind))
            && (string.IsNullOrEmpty(Outcome) || Outcome == NameOf(call.Outcome))
            && (string.IsNullOrEmpty(Who) || Who == Json.TraceId(trace.Id)
            || call.Who.Any(person => person.Contains(Who, StringComparison.OrdinalIgnoreCase)))
            && !(Json.Milliseconds(trace.Duration) < MinMs)
            && !(Json.Milliseconds(trace.Duration) > MaxMs)
            && !(Json.Milliseconds(trace.Start) < From?.ToUnixTimeMilliseconds())
            && !(Json.Milliseconds(trace.Start) > To?.ToUnixTimeMilliseconds())
            && (string.IsNullOrWhiteSpace(Attribute) || HasAttribute(trace, Attribute.Split('=', 2, StringSplitOptions.TrimEntries)));
    }

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
