namespace WebRtcIms.EpCscf.Sip;

/// <summary>
/// The value of From, To, Contact, Route and the like: <c>"Alice" &lt;sip:alice@example.com&gt;;tag=1928</c> (RFC 3261 §20.10).
/// </summary>
/// <remarks>
/// Read leniently where the meaning is clear: any text before the brackets is a display name, white space at the brackets and empty
/// parameters mean nothing. <see cref="ToString"/> then gives the value as the grammar wants it.
/// </remarks>
internal sealed record NameAddress(string? DisplayName, string UriText, SipParameters Parameters)
{
    /// <summary>Replaces an address that could not be read.</summary>
    public static readonly NameAddress None = new(null, "", SipParameters.None);

    /// <summary>The URI; null if its scheme is not sip or sips.</summary>
    public SipUri? Uri { get; } = SipUri.Parse(UriText);

    public string? Tag => Parameters["tag"];

    /// <summary>Whether the text was not as the grammar wants it, so another reader might not understand it.</summary>
    public bool IsRepaired { get; private init; }

    public override string ToString() =>
        string.IsNullOrEmpty(DisplayName) ? $"<{UriText}>{Parameters}" : $"{HeaderText.Quote(DisplayName)} <{UriText}>{Parameters}";

    public static NameAddress? Parse(string? text)
    {
        if (string.IsNullOrWhiteSpace(text)) return null;
        text = text.Trim();
        string? displayName = null;
        var isRepaired = false;
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
            // A quote or a bracket here does not show where the name ends.
            if (displayName.Any(c => c is '"' or '>' || (char.IsControl(c) && c != '\t'))) return null;
            isRepaired = !displayName.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries).All(word => HeaderText.IsToken(word));
        }

        return open < 0 ? ParseBare(text) : ParseBracketed(displayName, text, open, isRepaired);
    }

    private static NameAddress? ParseBracketed(string? displayName, string text, int open, bool isRepaired)
    {
        var close = text.IndexOf('>', open);
        if (close < 0) return null;
        var between = text[(open + 1)..close];
        var uri = between.Trim();
        if (!IsAbsoluteUri(uri) || !SipParameters.TryParse(text[(close + 1)..].Trim(), out var parameters)) return null;
        return Checked(displayName, uri, parameters, isRepaired || uri.Length < between.Length);
    }

    // Without brackets, parameters after the first semicolon belong to the header field. A URI with a comma, a question mark or a semicolon
    // needs brackets (§20).
    private static NameAddress? ParseBare(string text)
    {
        var semicolon = text.IndexOf(';', StringComparison.Ordinal);
        var uri = (semicolon < 0 ? text : text[..semicolon]).Trim();
        if (!IsAbsoluteUri(uri) || uri.AsSpan().ContainsAny(",?")) return null;
        if (!SipParameters.TryParse(semicolon < 0 ? "" : text[semicolon..], out var parameters)) return null;
        return Checked(displayName: null, uri, parameters, isRepaired: false);
    }

    private static NameAddress? Checked(string? displayName, string uri, SipParameters parameters, bool isRepaired)
    {
        var escaped = SipUri.IsSipScheme(uri) ? SipUri.EscapeOthers(uri) : uri;
        var address = new NameAddress(displayName, escaped, parameters)
        {
            IsRepaired = isRepaired || parameters.HasEmpty || !ReferenceEquals(escaped, uri),
        };
        return SipUri.IsSipScheme(uri) && address.Uri is null ? null : address;
    }

    private static bool IsAbsoluteUri(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && char.IsAsciiLetter(text[0]) && text.AsSpan(0, colon).IndexOfAnyExcept("+-.") >= 0
            && text.AsSpan(0, colon).ToString().All(c => char.IsAsciiLetterOrDigit(c) || c is '+' or '-' or '.')
            && SipUri.MayBeUri(text);
    }
}
