using System.Globalization;
using System.Text.RegularExpressions;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Settings.Tests;

/// <summary>The table of settings in the README of each part has the settings that its reader knows, with types and defaults.</summary>
public sealed partial class SettingsTableTests
{
    // These depend on the machine.
    private static readonly Dictionary<string, string> Defaults = new()
    {
        ["Turn:Workers"] = "one for each processor",
        ["Wwsf:Limits:PasswordChecks"] = "half of the processors",
    };

    public static TheoryData<string> Parts => [.. Part.All.Select(part => part.Name)];

    [Theory]
    [MemberData(nameof(Parts))]
    public void Table_HasTheSettingsOfTheReader(string part)
    {
        var rows = RowsOf(part);
        var wanted = SettingProperty.Of(Part.Of(part))
            .Select(setting => $"| `{setting.Name}` | {TypeOf(setting.Type)} | {DefaultOf(setting)} |").ToList();
        var actual = rows.Select(row => $"| `{row.Name}` | {row.Type} | {row.Default} |").ToList();

        Assert.True(
            wanted.Except(actual).Concat(actual.Except(wanted)).ToList() is [],
            $"{part}/README.md, All settings. Rows to add, each with a meaning and an example:\n"
                + $"{string.Join('\n', wanted.Except(actual))}\n"
                + $"Rows to remove:\n{string.Join('\n', actual.Except(wanted))}");
        Assert.Equal(rows.Count, rows.Select(row => row.Name).Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(Parts))]
    public void Examples_AreOfTheirTypes(string part)
    {
        var types = SettingProperty.Of(Part.Of(part)).ToDictionary(setting => setting.Name, setting => setting.Type);

        Assert.All(RowsOf(part), row =>
        {
            Assert.True(row.Meaning.Length > 3, row.Name);
            Assert.True(types.TryGetValue(row.Name, out var type) && IsOf(type, row.Example), $"{row.Name}: {row.Example}");
        });
    }

    private static List<Row> RowsOf(string part) =>
    [
        .. from Match match in TableRow().Matches(File.ReadAllText(Repository.PathOf(part, "README.md")))
           select new Row(
               match.Groups["name"].Value, match.Groups["type"].Value, match.Groups["default"].Value, match.Groups["meaning"].Value,
               match.Groups["example"].Value),
    ];

    private static string TypeOf(Type type) =>
        type == typeof(int) || type == typeof(long) ? "number"
        : type == typeof(bool) ? "`true` or `false`"
        : type == typeof(TimeSpan) ? "time"
        : type == typeof(DateTimeOffset) ? "date"
        : type == typeof(Redacted<string>) ? "secret"
        : type.IsEnum ? string.Join(", ", Enum.GetNames(type).Select(name => $"`{name}`"))
        : "text";

    private static string DefaultOf(SettingProperty setting) =>
        Defaults.TryGetValue(setting.Name, out var text) ? text
        : setting.Default is null or "" or Redacted<string> ? "none"
        : setting.Default is bool isOn ? isOn ? "`true`" : "`false`"
        : $"`{string.Create(CultureInfo.InvariantCulture, $"{setting.Default}")}`";

    private static bool IsOf(Type type, string example) =>
        type == typeof(int) || type == typeof(long) ? long.TryParse(example, CultureInfo.InvariantCulture, out _)
        : type == typeof(bool) ? bool.TryParse(example, out _)
        : type == typeof(TimeSpan) ? TimeSpan.TryParse(example, CultureInfo.InvariantCulture, out _)
        : type == typeof(DateTimeOffset) ? DateTimeOffset.TryParse(example, CultureInfo.InvariantCulture, out _)
        : type.IsEnum ? Enum.GetNames(type).Contains(example)
        : example.Length > 0;

    private sealed record Row(string Name, string Type, string Default, string Meaning, string Example);

    [GeneratedRegex(
        @"^\| `(?<name>[A-Za-z]+:[^`]+)` \| (?<type>[^|]+) \| (?<default>[^|]+) \| (?<meaning>[^|]+) \| `(?<example>[^|]+)` \|\r?$",
        RegexOptions.Multiline)]
    private static partial Regex TableRow();
}
