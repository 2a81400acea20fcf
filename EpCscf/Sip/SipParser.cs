namespace WebRtcIms.EpCscf.Sip;

/// <summary>The result of parsing: a message, the response to a malformed request, or only an error.</summary>
/// <param name="Message">The message; null for a request that is malformed, and for what is not SIP.</param>
/// <param name="Error">The error, with the name of the header field and without its content.</param>
/// <param name="Answer">The response to send; null if there is none.</param>
internal readonly record struct ParsedMessage(SipMessage? Message, string? Error = null, SipResponse? Answer = null);

/// <summary>
/// Reads one SIP message from one WebSocket message (RFC 7118 §5: exactly one). Bad input is a value, not an exception. A message whose
/// meaning is clear is read and repaired. Any other request gets a response that names the problem. Any other response still counts for
/// its transaction. So no sender waits for a timer.
/// </summary>
internal static class SipParser
{
    public const int MaxMessageLength = 64 * 1024;

    /// <summary>A message of <see cref="MaxMessageLength"/> with what this server adds to it.</summary>
    public const int MaxForwardedLength = MaxMessageLength + (2 * MaxHeaderLength);

    public const int MaxHeaders = 200;
    public const int MaxHeaderLength = 8 * 1024;

    private const string TooLong = "the message is too long";

    private static readonly string[] Once =
    [
        HeaderName.From, HeaderName.To, HeaderName.CallId, HeaderName.CSeq, HeaderName.MaxForwards, HeaderName.ContentLength,
    ];

    // A response is not usable if one of them is. Any other line that cannot be read is ignored.
    private static readonly string[] OfResponse =
        [HeaderName.Via, HeaderName.From, HeaderName.To, HeaderName.CallId, HeaderName.CSeq, HeaderName.Contact];

    public static ParsedMessage Parse(ReadOnlySpan<byte> octets, int maxLength = MaxMessageLength)
    {
        var isTooLong = octets.Length > maxLength;
        var lines = new SipLines(isTooLong ? octets[..maxLength] : octets, isTooLong);
        var startLine = lines.Next() ?? "";
        var isResponse = startLine.StartsWith("SIP/", StringComparison.OrdinalIgnoreCase);
        var (headers, error) = ReadHeaders(ref lines, isResponse);
        if (isTooLong) error = TooLong;
        return isResponse ? Response(startLine, headers, lines.Rest, error) : Request(startLine, headers, lines.Rest, error);
    }

    private static ParsedMessage Request(string startLine, SipHeaders headers, ReadOnlySpan<byte> octets, string? error)
    {
        if (startLine.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries) is not [var method, .., var version]
            || !version.StartsWith("SIP/", StringComparison.OrdinalIgnoreCase) || !HeaderText.IsToken(method))
            return new(null, "not a SIP message");
        if (!IsVersion(version)) return Bad(method, headers, 505, "Version Not Supported");
        if (error == TooLong) return Bad(method, headers, 513, "Message Too Large");
        var uri = RequestUri(startLine);
        if (uri is null) error ??= "the request URI is wrong";

        var fields = MandatoryFields.Read(headers);
        error ??= Repeated(headers) ?? fields.Problem(headers) ?? WrongVia(headers);
        if (error is null && fields.CSeq!.Method != method) error = "CSeq has another method";
        error ??= RepairList(headers, HeaderName.Route) ?? RepairList(headers, HeaderName.Contact);
        var maxForwards = 70;
        if (headers.First(HeaderName.MaxForwards) is { } text && !TryNumber(text, 255, out maxForwards))
            error ??= "Max-Forwards must be a number from 0 to 255";
        if (!TryBody(headers, octets, out var body)) error ??= "Content-Length is wrong";
        if (error is not null) return Bad(method, headers, 400, error);

        return new(new SipRequest
        {
            Method = method,
            Uri = uri!,
            Headers = headers,
            From = fields.From!,
            To = fields.To!,
            CallId = fields.CallId!,
            CSeq = fields.CSeq!,
            Body = body,
            MaxForwards = maxForwards,
        });
    }

    /// <summary>The response to a malformed request. It copies the fields unchanged, because they may be unreadable.</summary>
    private static ParsedMessage Bad(string method, SipHeaders headers, int statusCode, string error)
    {
        // An ACK has no response (§17.1.1.3).
        if (method == Method.Ack) return new(null, error);
        var copied = new SipHeaders();
        foreach (var name in (string[])[HeaderName.Via, HeaderName.From, HeaderName.To, HeaderName.CallId, HeaderName.CSeq])
            copied.CopyFrom(headers, name);
        return new(null, error, new SipResponse
        {
            StatusCode = statusCode,
            Reason = statusCode == 400 ? $"Bad Request: {error}" : error,
            Headers = copied,
            From = NameAddress.None,
            To = NameAddress.None,
            CallId = "",
            CSeq = new(0, ""),
        });
    }

    private static ParsedMessage Response(string startLine, SipHeaders headers, ReadOnlySpan<byte> octets, string? error)
    {
        var fields = MandatoryFields.Read(headers);
        if (fields.Via is null) return new(null, fields.Problem(headers));
        var parts = startLine.Split(' ', 3);
        var code = 0;
        var isStatusLine = parts.Length > 1 && !startLine.Contains('\r', StringComparison.Ordinal) && IsVersion(parts[0]) && parts[1].Length == 3 && TryNumber(parts[1], 699, out code)
            && code >= 100;
        if (!isStatusLine) error ??= "the status line is wrong";
        // It has no meaning in a response.
        headers.Remove(HeaderName.Route);
        error ??= Repeated(headers) ?? fields.Problem(headers) ?? RepairList(headers, HeaderName.Contact);
        if (!TryBody(headers, octets, out var body)) error ??= "Content-Length is wrong";
        if (error is not null) return new(Unreadable(headers, fields, isStatusLine ? code : 502, error), error);
        return new(new SipResponse
        {
            StatusCode = code,
            Reason = parts.Length == 3 ? parts[2] : "",
            Headers = headers,
            From = fields.From!,
            To = fields.To!,
            CallId = fields.CallId!,
            CSeq = fields.CSeq!,
            Body = body,
        });
    }

    private static SipResponse Unreadable(SipHeaders headers, MandatoryFields fields, int statusCode, string error)
    {
        var kept = new SipHeaders();
        kept.Add(HeaderName.Via, headers.Values(HeaderName.Via).First());
        if (fields.To is { } to) kept.Add(HeaderName.To, to.ToString());
        return new()
        {
            StatusCode = statusCode,
            Reason = "",
            Problem = error,
            Headers = kept,
            From = NameAddress.None,
            To = fields.To ?? NameAddress.None,
            CallId = "",
            CSeq = fields.CSeq ?? new(0, ""),
        };
    }

    private static (SipHeaders Headers, string? Error) ReadHeaders(ref SipLines lines, bool isResponse)
    {
        var headers = new SipHeaders();
        string? error = null;
        for (var count = 1; lines.Next() is { } line; count++)
        {
            if (count > MaxHeaders) return (headers, "there are too many header fields");
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var name = colon < 0 ? "" : HeaderName.Normalize(line[..colon].TrimEnd());
            if (LineProblem(line, name) is not { } problem) headers.Add(name, line[(colon + 1)..].Trim());
            else if (!isResponse || OfResponse.Contains(name)) error ??= problem;
        }

        return (headers, error);
    }

    private static string? LineProblem(string line, string name)
    {
        if (!HeaderText.IsToken(name)) return "a header field has no name";
        var shown = name.Length > 40 ? "a header field" : name;
        if (line.Length > MaxHeaderLength) return $"{shown} is too long";
        // Another reader might end the line there.
        return line.Contains('\r', StringComparison.Ordinal) ? $"{shown} has a lone line end" : null;
    }

    private static bool IsVersion(string text) => text.Equals("SIP/2.0", StringComparison.OrdinalIgnoreCase);

    // RFC 4475 §3.1.2.7, §3.1.2.9, §3.1.2.10: brackets and additional white space mean nothing.
    private static string? RequestUri(string startLine)
    {
        if (startLine.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries) is not [_, var uri, _]) return null;
        if (uri is ['<', .. var inner, '>']) uri = inner;
        return IsRequestUri(uri) ? uri : null;
    }

    private static bool IsRequestUri(string text) =>
        text.IndexOf(':', StringComparison.Ordinal) > 0 && char.IsAsciiLetter(text[0]) && SipUri.MayBeUri(text) && !text.Contains('\r', StringComparison.Ordinal)
        && (!SipUri.IsSipScheme(text) || SipUri.Parse(text) is { HasHeaders: false });

    // The same value twice is as good as once, except for the fields that tell who calls whom.
    private static string? Repeated(SipHeaders headers)
    {
        foreach (var name in Once)
        {
            if (headers.Count(name) < 2) continue;
            if (name is not (HeaderName.MaxForwards or HeaderName.ContentLength) || headers.Lines(name).Distinct().Count() > 1)
                return $"{name} must come once";
            headers.Set(name, headers.First(name)!);
        }

        return null;
    }

    private static string? WrongVia(SipHeaders headers) =>
        headers.Values(HeaderName.Via).All(via => Via.Parse(via) is not null) ? null : "Via is wrong";

    /// <summary>Writes a list of addresses as the grammar wants it if its meaning is clear; otherwise returns the problem.</summary>
    private static string? RepairList(SipHeaders headers, string name)
    {
        if (!headers.Has(name)) return null;
        var values = headers.Values(name).ToList();
        var isRepaired = values.RemoveAll(value => value.Length == 0) > 0;
        for (var i = 0; i < values.Count; i++)
        {
            if (values[i] == "*" && name == HeaderName.Contact) continue;
            if (NameAddress.Parse(values[i]) is not { } address) return $"{name} is wrong";
            if (!address.IsRepaired) continue;
            values[i] = address.ToString();
            isRepaired = true;
        }

        if (isRepaired) headers.Set(name, values);
        return null;
    }

    // RFC 7118 §5: the WebSocket message is the SIP message, so a length that is missing or too large changes nothing. RFC 3261 §18.3:
    // octets beyond it are ignored. A browser's client may have counted characters instead of octets.
    private static bool TryBody(SipHeaders headers, ReadOnlySpan<byte> octets, out byte[] body)
    {
        body = [];
        var length = octets.Length;
        if (headers.First(HeaderName.ContentLength) is { } text && !TryNumber(text, int.MaxValue, out length)) return false;
        body = length > octets.Length || length == Encoding.UTF8.GetCharCount(octets) ? octets.ToArray() : octets[..length].ToArray();
        return true;
    }

    private static bool TryNumber(string text, uint max, out int number)
    {
        number = 0;
        if (!uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value > max) return false;
        number = (int)value;
        return true;
    }
}
