namespace WebRtcIms.Tests.Common.Users;

/// <summary>A SIP message as it came.</summary>
public sealed class SipText(string text)
{
    private readonly string[] _lines = text.Split("\r\n\r\n", 2)[0].Split("\r\n");

    public string StartLine => _lines[0];

    public string this[string name] => All(name).FirstOrDefault() ?? throw new KeyNotFoundException($"No {name} in:\n{text}");

    public IEnumerable<string> All(string name) =>
        from line in _lines.Skip(1)
        where line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase)
        select line[(name.Length + 1)..].Trim();

    /// <summary>The header fields with these names, to copy them into an answer.</summary>
    public string Copy(params string[] names) => string.Concat(names.SelectMany(name => All(name).Select(value => $"{name}: {value}\r\n")));

    public override string ToString() => text;
}
