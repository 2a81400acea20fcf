using System.Collections;
using System.Reflection;

namespace WebRtcIms.Settings.Tests;

/// <summary>A setting that the reader of a part knows.</summary>
/// <param name="Name">Such as <c>Turn:Keys:0:Kid</c>.</param>
/// <param name="Type">The type of its value; of an entry if it is a list.</param>
/// <param name="Default">The value when nothing is set; null for none.</param>
public sealed record SettingProperty(string Name, Type Type, object? Default)
{
    /// <summary>All settings of a part, in the order of the properties.</summary>
    public static IReadOnlyList<SettingProperty> Of(Part part)
    {
        var settings = part.Assembly.GetTypes().Single(type => type.Name == $"{part.Name}Settings");
        return [.. Of(part.Name, settings, Activator.CreateInstance(settings))];
    }

    private static IEnumerable<SettingProperty> Of(string section, Type settings, object? values) =>
        from property in settings.GetProperties(BindingFlags.Public | BindingFlags.Instance)
        where property.SetMethod is { IsPublic: true }
        from setting in OfOne($"{section}:{property.Name}", property.PropertyType, values is null ? null : property.GetValue(values))
        select setting;

    private static IEnumerable<SettingProperty> OfOne(string name, Type type, object? value)
    {
        if (type.IsGenericType && typeof(IList).IsAssignableFrom(type))
            return OfOne($"{name}:0", type.GetGenericArguments()[0], null);
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsClass && type.Name.EndsWith("Settings", StringComparison.Ordinal)
            ? Of(name, type, value ?? Activator.CreateInstance(type))
            : [new(name, type, value)];
    }
}
