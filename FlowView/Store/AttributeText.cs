using System.Globalization;

namespace WebRtcIms.FlowView.Store;

/// <summary>The text of an attribute's value, as a search compares it.</summary>
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
