namespace WebRtcIms.EpCscf.Sip;

/// <summary>A <c>sip:</c> or <c>sips:</c> URI (RFC 3261 §19.1).</summary>
/// <param name="User">Unescaped and without a password; empty if there is none.</param>
/// <param name="Host">In lower case, without the dot of the root.</param>
/// <param name="HasHeaders">Whether it has <c>?name=value</c>, which is not allowed in a request URI (§19.1.1).</param>
internal sealed record SipUri(string User, string Host, bool HasHeaders)
{
    private const string UserReserved = "-_.!~*'()&=+$,;?/";
    private const string Others = ":@%[]";

    // U+FFFD stands for octets that were not UTF-8.
    private static readonly SearchValues<char> NotInUri = SearchValues.Create(" \t<>\"\uFFFD");

    /// <summary>The address of record in canonical form: only scheme, user and host (§10.3 step 5).</summary>
    public string AddressOfRecord => $"sip:{(User.Length == 0 ? "" : Escape(User, UserReserved) + "@")}{Host}";

    public static bool MayBeUri(ReadOnlySpan<char> text) => !text.ContainsAny(NotInUri);

    public static bool IsSipScheme(string text) =>
        text.StartsWith("sip:", StringComparison.OrdinalIgnoreCase) || text.StartsWith("sips:", StringComparison.OrdinalIgnoreCase);

    public static SipUri? Parse(string text)
    {
        if (!IsSipScheme(text) || !MayBeUri(text)) return null;
        var rest = text[(text.IndexOf(':', StringComparison.Ordinal) + 1)..];
        var user = "";
        if (rest.LastIndexOf('@') is >= 0 and var at)
        {
            var userInfo = rest[..at];
            if (userInfo.Contains('@', StringComparison.Ordinal)) return null;
            var password = userInfo.IndexOf(':', StringComparison.Ordinal);
            if (Unescape(password < 0 ? userInfo : userInfo[..password]) is not { Length: > 0 } plain) return null;
            user = plain;
            rest = rest[(at + 1)..];
        }

        var question = rest.IndexOf('?', StringComparison.Ordinal);
        var hasHeaders = question >= 0;
        if (hasHeaders) rest = rest[..question];
        var semicolon = rest.IndexOf(';', StringComparison.Ordinal);
        if (!SipParameters.TryParse(semicolon < 0 ? "" : rest[semicolon..], out var parameters) || parameters.HasEmpty) return null;
        if (!TryParseHostPort(semicolon < 0 ? rest : rest[..semicolon], out var host, out _)) return null;
        return new(user, host.Length > 1 ? host.TrimEnd('.') : host, hasHeaders);
    }

    /// <summary>A host name, IPv4 address or IPv6 address in brackets, with an optional port.</summary>
    public static bool TryParseHostPort(string text, out string host, out int? port)
    {
        (host, port) = ("", null);
        var end = text.StartsWith('[') ? text.IndexOf(']', StringComparison.Ordinal) + 1 : text.IndexOf(':', StringComparison.Ordinal);
        if (end < 0) end = text.Length;
        host = text[..end].Trim().ToLowerInvariant();
        if (host.Length == 0 || !host.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or '[' or ']' or ':')) return false;
        if (end == text.Length) return true;
        if (text[end] != ':') return false;
        if (!int.TryParse(text.AsSpan(end + 1).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            || number > ushort.MaxValue) return false;
        port = number;
        return true;
    }

    private static string? Unescape(string text)
    {
        if (!text.Contains('%', StringComparison.Ordinal)) return text;
        var octets = new List<byte>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '%')
            {
                octets.AddRange(Encoding.UTF8.GetBytes(text, i, 1));
                continue;
            }
            if (i + 2 >= text.Length
                || !byte.TryParse(
                    text.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var octet)) return null;
            octets.Add(octet);
            i += 2;
        }
        return Encoding.UTF8.GetString([.. octets]);
    }

    /// <summary>
    /// The URI with escapes for characters that the grammar does not have, such as <c>#</c>. Some clients send them, and others ignore the
    /// whole message.
    /// </summary>
    public static string EscapeOthers(string uri) => Escape(uri, UserReserved + Others);

    private static string Escape(string text, string allowed)
    {
        bool IsAllowed(char c) => char.IsAsciiLetterOrDigit(c) || allowed.Contains(c, StringComparison.Ordinal);
        if (text.All(IsAllowed)) return text;
        var escaped = new StringBuilder();
        foreach (var octet in Encoding.UTF8.GetBytes(text))
        {
            if (octet < 0x80 && IsAllowed((char)octet)) escaped.Append((char)octet);
            else escaped.Append(CultureInfo.InvariantCulture, $"%{octet:X2}");
        }
        return escaped.ToString();
    }
}
