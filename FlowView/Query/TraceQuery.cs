using Microsoft.AspNetCore.Mvc;
using WebRtcIms.FlowView.Store;

namespace WebRtcIms.FlowView.Query;

/// <summary>
/// What to search traces for. A trace fits when its whole duration lies in the range, it has a failed span if that is asked
/// for, and one of its spans fits service, name and attribute together.
/// </summary>
/// <param name="Service">A service's name.</param>
/// <param name="Name">A part of a span's name, in any case.</param>
/// <param name="Attribute"><c>key=value</c>, or <c>key</c> alone for any value; also of the resource.</param>
/// <param name="MinMs">Shortest duration, milliseconds.</param>
/// <param name="MaxMs">Longest duration, milliseconds.</param>
/// <param name="Error">True: failed ones only.</param>
/// <param name="Limit">How many at most; 50 when not given.</param>
internal sealed record TraceQuery(
    string? Service, string? Name, string? Attribute,
    [FromQuery(Name = "min_ms")] double? MinMs,
    [FromQuery(Name = "max_ms")] double? MaxMs, bool? Error, int? Limit)
{
    private const int MaxLimit = 1000;

    public int Take => Math.Clamp(Limit ?? 50, 1, MaxLimit);

    public Func<Trace, bool> Filter()
    {
        var (key, value) = Split(Attribute);
        var asksForSpan = !string.IsNullOrEmpty(Name) || key is not null;
        return trace =>
            (string.IsNullOrEmpty(Service) || trace.Services.ContainsKey(Service))
            && (Error is not true || trace.Errors > 0)
            && (MinMs is null || Json.Milliseconds(trace.Duration) >= MinMs)
            && (MaxMs is null || Json.Milliseconds(trace.Duration) <= MaxMs)
            && (!asksForSpan || trace.Spans.Any(span => Fits(span, key, value)));
    }

    private bool Fits(Span span, string? key, string? value) =>
        (string.IsNullOrEmpty(Service) || span.Source.Service == Service)
        && (string.IsNullOrEmpty(Name) || span.Name.Contains(Name, StringComparison.OrdinalIgnoreCase))
        && (key is null || Has(span.Attributes, key, value) || Has(span.Source.Attributes, key, value));

    private static bool Has(Store.Attribute[] attributes, string key, string? value)
    {
        foreach (var attribute in attributes)
        {
            if (attribute.Key == key && (value is null || string.Equals(AttributeText.Of(attribute.Value), value, StringComparison.OrdinalIgnoreCase)))
                return true;
        }
        return false;
    }

    private static (string? Key, string? Value) Split(string? attribute)
    {
        if (string.IsNullOrWhiteSpace(attribute)) return (null, null);
        var parts = attribute.Split('=', 2);
        return (parts[0].Trim(), parts.Length > 1 ? parts[1].Trim() : null);
    }
}
