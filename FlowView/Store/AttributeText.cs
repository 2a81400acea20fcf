using System.Globalization;

namespace WebRtcIms.FlowView.Store;

/// <summary>An attribute's value as a person would search for it.</summary>
internal static class AttributeText
{
    public static string Of(object? value) => value switch
    {
        null => "",
        string text => text,
        bool truth => truth ? "true" : "false",
        object?[] values => string.Join(", ", values.Select(Of)),
        Attribute[] pairs => string.Join(", ", pairs.Select(pair => $"{pair.Key}={Of(pair.Value)}")),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => "",
    };
}
