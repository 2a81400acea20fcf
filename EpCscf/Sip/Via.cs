namespace WebRtcIms.EpCscf.Sip;

/// <summary>A value of Via (RFC 3261 §20.42): the way back for the response.</summary>
/// <param name="SentBy">Host and port as written. Browsers invent a host under <c>.invalid</c>, which is never resolved (RFC 7118
/// §5).</param>
/// <param name="Branch">Names the transaction; null if there is none.</param>
internal sealed record Via(string SentBy, string? Branch)
{
    /// <summary>The start of every branch of RFC 3261.</summary>
    public const string MagicCookie = "z9hG4bK";

    public static Via? Parse(string text)
    {
        var semicolon = text.IndexOf(';', StringComparison.Ordinal);
        if (!SipParameters.TryParse(semicolon < 0 ? "" : text[semicolon..], out var parameters) || parameters.HasEmpty) return null;
        var head = semicolon < 0 ? text : text[..semicolon];
        if (head.Split('/', 3) is not [var protocol, var version, var rest]) return null;
        if (!protocol.Trim().Equals("SIP", StringComparison.OrdinalIgnoreCase) || version.Trim() != "2.0") return null;
        rest = rest.TrimStart();
        var space = rest.AsSpan().IndexOfAny(' ', '\t');
        if (space <= 0 || !HeaderText.IsToken(rest.AsSpan(0, space))) return null;
        var sentBy = rest[space..].Trim();
        return SipUri.TryParseHostPort(sentBy, out var host, out var port)
            ? new(port is { } number ? string.Create(CultureInfo.InvariantCulture, $"{host}:{number}") : host, parameters["branch"])
            : null;
    }
}

/// <summary>The value of CSeq (RFC 3261 §20.16): orders the requests of a dialog, and matches a response to its request.</summary>
internal sealed record CSeq(uint Number, string Method)
{
    public static CSeq? Parse(string? text)
    {
        var parts = (text ?? "").Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        if (parts is not [var number, var method] || !HeaderText.IsToken(method)) return null;
        // §8.1.1.5: less than 2^31.
        return uint.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value <= int.MaxValue
            ? new(value, method) : null;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Number} {Method}");
}
