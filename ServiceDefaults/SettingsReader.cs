using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// Reads a section of the configuration into a class with the same property names, and collects every problem: values of a wrong
/// kind, values that a validation attribute refuses, and names that are not settings. The binder of .NET stops at the first.
/// Property types: text, numbers, <see cref="bool"/>, <see cref="TimeSpan"/> and other types with a <c>TryParse</c>, enumerations,
/// <see cref="Redacted{T}"/> of text, lists, and classes of these.
/// </summary>
public static class SettingsReader
{
    private static readonly MethodInfo ParseMethod = typeof(SettingsReader)
        .GetMethod(nameof(Parse), BindingFlags.NonPublic | BindingFlags.Static)!;

    /// <summary>Reads a section.</summary>
    /// <param name="configuration">The whole configuration.</param>
    /// <param name="section">The name of the section, such as <c>Turn</c>.</param>
    /// <param name="validate">Problems that concern several settings, each with the name of its setting.</param>
    /// <exception cref="SettingsException">There are problems. The message lists them all.</exception>
    public static T Read<T>(IConfiguration configuration, string section, Func<T, IEnumerable<string>>? validate = null)
        where T : class, new()
    {
        List<string> problems = [];
        var settings = Read<T>(configuration.GetSection(section), problems);
        if (validate is not null) problems.AddRange(Others(validate(settings), problems));
        return problems.Count == 0 ? settings : throw SettingsException.Of(problems.Distinct());
    }

    /// <summary>
    /// Reads a section, or a list, and adds what is wrong with it to <paramref name="problems"/>. A value that cannot be used keeps its
    /// default.
    /// </summary>
    public static T Read<T>(IConfigurationSection section, List<string> problems)
        where T : class, new()
    {
        var settings = new T();
        if (TextProblem(typeof(T), section) is { } problem) problems.Add(problem);
        if (settings is IList list) Fill(list, section, problems);
        else Fill(settings, section, problems);
        return settings;
    }

    /// <summary>The problem of a setting of .NET that is one of some names; null when it is good or missing.</summary>
    internal static string? EnumProblem<T>(IConfigurationSection section)
        where T : struct, Enum
    {
        List<string> problems = [];
        if (!string.IsNullOrEmpty(section.Value)) TryParse(typeof(T), section.Value, section.Path, problems, out _);
        return problems.SingleOrDefault();
    }

    // A value that cannot be read keeps its default, and what is said of the default would be a second problem of the same setting.
    private static List<string> Others(IEnumerable<string> problems, List<string> known) =>
        [.. problems.Where(problem => !known.Exists(other => SettingOf(other) == SettingOf(problem)))];

    private static string SettingOf(string problem) => problem.Split(' ', 2)[0].TrimEnd(':');

    private static void Fill(object settings, IConfigurationSection section, List<string> problems)
    {
        var properties = settings.GetType().GetProperties().Where(property => property.SetMethod is { IsPublic: true }).ToList();
        foreach (var child in section.GetChildren())
        {
            if (properties.Find(property => property.Name.Equals(child.Key, StringComparison.OrdinalIgnoreCase)) is not { } property)
                problems.Add($"{child.Path} is not a setting{Suggestion(section, child.Key, properties.Select(known => known.Name))}");
            else if (TryConvert(property.PropertyType, property.GetValue(settings), child, problems, out var value))
                property.SetValue(settings, value);
        }

        foreach (var property in properties)
        {
            foreach (var rule in property.GetCustomAttributes<ValidationAttribute>().Where(rule =>
                !rule.IsValid(property.GetValue(settings))))
                problems.Add(rule.FormatErrorMessage($"{section.Path}:{property.Name}"));
        }
    }

    private static void Fill(IList list, IConfigurationSection section, List<string> problems)
    {
        var type = list.GetType().GetGenericArguments()[0];
        foreach (var child in section.GetChildren())
        {
            if (!int.TryParse(child.Key, CultureInfo.InvariantCulture, out _))
                problems.Add($"{child.Path} is not an entry of a list, such as {section.Path}:0");
            else if (TryConvert(type, null, child, problems, out var value)) list.Add(value);
        }
    }

    private static bool TryConvert(Type type, object? current, IConfigurationSection section, List<string> problems, out object? value)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        value = null;
        if (IsScalar(type))
        {
            // An empty environment variable is how a deployment leaves a value out.
            if (string.IsNullOrEmpty(section.Value) && type != typeof(string)) return false;
            return TryParse(type, section.Value ?? "", section.Path, problems, out value);
        }

        if (TextProblem(type, section) is { } problem)
        {
            problems.Add(problem);
            return false;
        }

        if (typeof(IList).IsAssignableFrom(type))
        {
            value = Activator.CreateInstance(type);
            Fill((IList)value!, section, problems);
            return true;
        }

        if (!section.GetChildren().Any()) return false;
        value = current ?? Activator.CreateInstance(type);
        Fill(value!, section, problems);
        return true;
    }

    // The text may be a secret at the wrong place.
    private static string? TextProblem(Type type, IConfigurationSection section) =>
        string.IsNullOrEmpty(section.Value) ? null
        : typeof(IList).IsAssignableFrom(type) ? $"{section.Path} must be a list: give {section.Path}:0"
        : $"{section.Path} must be a group of settings, such as "
            + $"{section.Path}:{type.GetProperties().First(property => property.CanWrite).Name}";

    private static bool IsScalar(Type type) => type == typeof(string) || type == typeof(Redacted<string>) || type.IsEnum
        || Array.Exists(type.GetInterfaces(), contract =>
            contract.IsGenericType && contract.GetGenericTypeDefinition() == typeof(IParsable<>));

    private static bool TryParse(Type type, string text, string path, List<string> problems, out object? value)
    {
        value = type switch
        {
            _ when type == typeof(string) => text,
            _ when type == typeof(Redacted<string>) => new Redacted<string>(text),
            { IsEnum: true } =>
                Enum.GetNames(type).Contains(text, StringComparer.OrdinalIgnoreCase) ? Enum.Parse(type, text, ignoreCase: true) : null,
            _ => ParseMethod.MakeGenericMethod(type).Invoke(null, [text]),
        };
        if (value is null) problems.Add($"{path} must be {Kind(type)}{SettingText.Not(text)}");
        return value is not null;
    }

    private static object? Parse<T>(string text)
        where T : IParsable<T> => T.TryParse(text, CultureInfo.InvariantCulture, out var value) ? value : null;

    private static string Kind(Type type) => type switch
    {
        { IsEnum: true } => $"one of {string.Join(", ", Enum.GetNames(type))}",
        _ when type == typeof(int) || type == typeof(long) => "a whole number",
        _ when type == typeof(bool) => "true or false",
        _ when type == typeof(TimeSpan) => "a time such as 00:10:00",
        _ => $"of the kind {type.Name}",
    };

    private static string Suggestion(IConfigurationSection section, string name, IEnumerable<string> known)
    {
        var nearest = known.MinBy(candidate => Distance(name, candidate));
        return nearest is not null && Distance(name, nearest) <= 1 + (name.Length / 4) ? $"; did you mean {section.Path}:{nearest}?" : "";
    }

    /// <summary>How many letters to add, drop, replace or swap with a neighbour, until one word is the other.</summary>
    private static int Distance(string one, string other)
    {
        (one, other) = (one.ToUpperInvariant(), other.ToUpperInvariant());
        var rows = new int[one.Length + 1, other.Length + 1];
        for (var i = 0; i <= one.Length; i++) rows[i, 0] = i;
        for (var j = 0; j <= other.Length; j++) rows[0, j] = j;
        for (var i = 1; i <= one.Length; i++)
        {
            for (var j = 1; j <= other.Length; j++)
            {
                var changed = rows[i - 1, j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1);
                rows[i, j] = Math.Min(changed, Math.Min(rows[i - 1, j], rows[i, j - 1]) + 1);
                if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                    rows[i, j] = Math.Min(rows[i, j], rows[i - 2, j - 2] + 1);
            }
        }

        return rows[one.Length, other.Length];
    }
}
