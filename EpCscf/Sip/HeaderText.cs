namespace WebRtcIms.EpCscf.Sip;

/// <summary>Pieces of the grammar of RFC 3261 §25.1 that several header fields share: tokens, quoted strings, lists, parameters.</summary>
internal static class HeaderText
{
    private static readonly SearchValues<char> TokenChars =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~");

    public static bool IsToken(ReadOnlySpan<char> text) => text.Length > 0 && !text.ContainsAnyExcept(TokenChars);

    /// <summary>The values between the commas; commas in quotes and in angle brackets belong to a value. Empty values are kept.</summary>
    public static List<string> Split(string text)
    {
        List<string> values = [];
        var start = 0;
        for (int i = 0, end; i <= text.Length; i = end + 1)
        {
            end = IndexOfOutside(text, ',', i);
            if (end < 0) end = text.Length;
            values.Add(text[start..end].Trim());
            start = end + 1;
        }
        return values;
    }

    /// <summary>The first index of a character outside of quotes and angle brackets, or -1.</summary>
    public static int IndexOfOutside(ReadOnlySpan<char> text, char wanted, int start = 0)
    {
        var (quoted, bracketed) = (false, false);
        for (var i = start; i < text.Length; i++)
        {
            var c = text[i];
            if (quoted)
            {
                if (c == '\\') i++;
                else if (c == '"') quoted = false;
            }
            else if (c == wanted && !bracketed) return i;
            else if (c == '"') quoted = true;
            else if (c == '<') bracketed = true;
            else if (c == '>') bracketed = false;
        }
        return -1;
    }

    /// <summary>The end of a quoted string that begins at <paramref name="start"/>: the index after the closing quote, or -1.</summary>
    public static int EndOfQuoted(ReadOnlySpan<char> text, int start)
    {
        for (var i = start + 1; i < text.Length; i++)
        {
            if (text[i] == '\\') i++;
            else if (text[i] == '"') return i + 1;
        }
        return -1;
    }

    public static string Unquote(string text)
    {
        if (text.Length < 2 || text[0] != '"' || text[^1] != '"') return text;
        if (!text.Contains('\\', StringComparison.Ordinal)) return text[1..^1];
        var plain = new StringBuilder(text.Length);
        for (var i = 1; i < text.Length - 1; i++)
        {
            if (text[i] == '\\') i++;
            plain.Append(text[i]);
        }
        return plain.ToString();
    }

    public static string Quote(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}

/// <summary>Parameters such as <c>;tag=1928;lr</c>: names in any case, values optional.</summary>
internal sealed class SipParameters
{
    public static readonly SipParameters None = new([]);

    private readonly List<KeyValuePair<string, string?>> _items;

    private SipParameters(List<KeyValuePair<string, string?>> items) => _items = items;

    /// <summary>Whether there was nothing between two semicolons, or after the last one. The grammar does not allow it.</summary>
    public bool HasEmpty { get; private init; }

    /// <summary>The value without its quotes; null if the parameter is missing or has no value.</summary>
    public string? this[string name] => _items.Find(item => item.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Value is { } value
        ? HeaderText.Unquote(value)
        : null;

    /// <summary>
    /// Reads parameters. One name with two values is refused (RFC 3261 §7.3.1): another reader might choose the other value.
    /// </summary>
    /// <param name="text">Empty, or starts with a semicolon.</param>
    /// <param name="parameters">The parameters; empty if the text is not a list of parameters.</param>
    public static bool TryParse(string text, out SipParameters parameters)
    {
        parameters = None;
        if (text.Length == 0) return true;
        List<KeyValuePair<string, string?>> items = [];
        var hasEmpty = false;
        var rest = text.AsSpan();
        while (rest.Length > 0)
        {
            if (rest[0] != ';') return false;
            rest = rest[1..];
            var end = HeaderText.IndexOfOutside(rest, ';');
            var item = end < 0 ? rest : rest[..end];
            rest = end < 0 ? [] : rest[end..];
            if (item.IsWhiteSpace())
            {
                hasEmpty = true;
                continue;
            }

            var equals = HeaderText.IndexOfOutside(item, '=');
            var name = (equals < 0 ? item : item[..equals]).Trim();
            if (!HeaderText.IsToken(name)) return false;
            var value = equals < 0 ? null : item[(equals + 1)..].Trim().ToString();
            if (value is "" || (value is not null && value[0] == '"' && HeaderText.EndOfQuoted(value, 0) != value.Length)) return false;
            var key = name.ToString();
            if (items.Exists(other => other.Key.Equals(key, StringComparison.OrdinalIgnoreCase) && other.Value != value)) return false;
            items.Add(new(key, value));
        }
        parameters = new(items) { HasEmpty = hasEmpty };
        return true;
    }

    public override string ToString() =>
        string.Concat(_items.Select(item => item.Value is null ? $";{item.Key}" : $";{item.Key}={item.Value}"));
}
