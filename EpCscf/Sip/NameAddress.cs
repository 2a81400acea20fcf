namespace WebRtcIms.EpCscf.Sip;

/// <summary>
/// The value of From, To, Contact, Route and the like: <c>"Alice" &lt;sip:alice@example.com&gt;;tag=1928</c> (RFC 3261 §20.10).
/// </summary>
internal sealed record NameAddress(string? DisplayName, string UriText, SipParameters Parameters)
{
    /// <summary>Replaces an address that could not be read.</summary>
    public static readonly NameAddress None = new(null, "", SipParameters.None);

    /// <summary>The URI; null if its scheme is not sip or sips.</summary>
    public SipUri? Uri { get; } = SipUri.Parse(UriText);

    public string? Tag => Parameters["tag"];

    public static NameAddress? Parse(string? text)
    {
        if (string.IsNullOrWhiteSpace(text)) return null;
        text = text.Trim();
        string? displayName = null;
        var open = text.IndexOf('<', StringComparison.Ordinal);
        if (text[0] == '"')
        {
            var end = HeaderText.EndOfQuoted(text, 0);
            if (end < 0) return null;
            displayName = HeaderText.Unquote(text[..end]);
            open = end;
            while (open < text.Length && text[open] is ' ' or '\t') open++;
            if (open >= text.Length || text[open] != '<') return null;
        }
        else if (open > 0)
        {
            displayName = text[..open].Trim();
            if (!displayName.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries).All(word => HeaderText.IsToken(word))) return null;
        }

        return open < 0 ? ParseBare(text) : ParseBracketed(displayName, text, open);
    }

    private static NameAddress? ParseBracketed(string? displayName, string text, int open)
    {
        var close = text.IndexOf('>', open);
        if (close < 0) return null;
        var uri = text[(open + 1)..close];
        if (!IsAbsoluteUri(uri) || !SipParameters.TryParse(text[(close + 1)..].Trim(), out var parameters)) return null;
        return Checked(new(displayName, uri, parameters));
    }

    // Without brackets, parameters after the first semicolon belong to the header field. A URI with a comma, a question mark or a semicolon
    // needs brackets (§20).
    private static NameAddress? ParseBare(string text)
    {
        var semicolon = text.IndexOf(';', StringComparison.Ordinal);
        var uri = (semicolon < 0 ? text : text[..semicolon]).Trim();
        if (!IsAbsoluteUri(uri) || uri.AsSpan().ContainsAny(",?")) return null;
        if (!SipParameters.TryParse(semicolon < 0 ? "" : text[semicolon..], out var parameters)) return null;
        return Checked(new(null, uri, parameters));
    }

    private static NameAddress? Checked(NameAddress address) => SipUri.IsSipScheme(address.UriText) && address.Uri is null ? null : address;

    private static bool IsAbsoluteUri(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && char.IsAsciiLetter(text[0]) && text.AsSpan(0, colon).IndexOfAnyExcept("+-.") >= 0
            && text.AsSpan(0, colon).ToString().All(c => char.IsAsciiLetterOrDigit(c) || c is '+' or '-' or '.')
            && !text.AsSpan().ContainsAny(" \t<>\"");
    }
}
