using System.Reflection;

namespace WebRtcIms.Tests.Common;

/// <summary>The settings of a part, from the properties of its settings class and of the classes that these contain.</summary>
public static class SettingNames
{
    /// <summary>Names such as <c>Quotas:Total</c> and <c>Keys:0:Kid</c>, in the order of the properties.</summary>
    public static IEnumerable<string> Of(Type settings) =>
        from property in settings.GetProperties(BindingFlags.Public | BindingFlags.Instance)
        where property.CanWrite
        from name in Of(property.Name, property.PropertyType)
        select name;

    private static IEnumerable<string> Of(string name, Type type)
    {
        if (ElementOf(type) is { } element) return IsSettings(element) ? Nested($"{name}:0", element) : [name];
        return IsSettings(type) ? Nested(name, type) : [name];
    }

    private static bool IsSettings(Type type) => type.IsClass && type.Name.EndsWith("Settings", StringComparison.Ordinal);

    private static IEnumerable<string> Nested(string name, Type type) => Of(type).Select(inner => $"{name}:{inner}");

    private static Type? ElementOf(Type type) =>
        type.IsGenericType && type.GetGenericTypeDefinition() == typeof(List<>) ? type.GetGenericArguments()[0]
        : type.IsArray ? type.GetElementType() : null;
}
