using System.Text.Json;

namespace WebRtcIms.Waf.CommandLine;

/// <summary>Prints a list of JSON objects as a table.</summary>
internal static class Table
{
    private const string Gap = "  ";

    /// <param name="rows">The objects.</param>
    /// <param name="output">The terminal.</param>
    /// <param name="columns">The names of the columns are those of the members; <c>limits.scopes</c> is a member of a member.</param>
    public static void Print(IEnumerable<JsonElement> rows, TextWriter output, params string[] columns)
    {
        List<string[]> lines = [[.. columns.Select(Title)], .. rows.Select(row => columns.Select(column => Cell(row, column)).ToArray())];
        if (lines.Count == 1)
        {
            output.WriteLine("None.");
            return;
        }

        var widths = columns.Select((_, column) => lines.Max(line => line[column].Length)).ToArray();
        foreach (var line in lines)
            output.WriteLine(string.Join(Gap, line.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
    }

    private static string Title(string column) =>
        column[(column.IndexOf('.', StringComparison.Ordinal) + 1)..].Replace('_', ' ').ToUpperInvariant();

    private static string Cell(JsonElement row, string column)
    {
        foreach (var name in column.Split('.'))
        {
            if (!row.TryGetProperty(name, out row)) return "-";
        }

        return Text(row);
    }

    private static string Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => "-",
        JsonValueKind.Array => value.GetArrayLength() == 0 ? "-" : string.Join(' ', value.EnumerateArray().Select(Text)),
        JsonValueKind.String when value.TryGetDateTimeOffset(out var time) => $"{time.UtcDateTime:u}",
        // A name must not control the terminal.
        _ => string.Concat(value.ToString().Select(letter => char.IsControl(letter) ? '?' : letter)),
    };
}
