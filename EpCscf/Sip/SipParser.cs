using System.Text.Unicode;

namespace WebRtcIms.EpCscf.Sip;

/// <summary>The result of parsing: a message, the response to a malformed request, or only an error.</summary>
/// <param name="Message">The message; null if it is malformed.</param>
/// <param name="Error">The error, without any content of the message.</param>
/// <param name="Answer">The response to send; null if the message is dropped.</param>
internal readonly record struct ParsedMessage(SipMessage? Message, string? Error = null, SipResponse? Answer = null);

/// <summary>Reads one SIP message from one WebSocket message (RFC 7118 §5: exactly one). Bad input is a value, not an exception.</summary>
internal static class SipParser
{
    public const int MaxMessageLength = 64 * 1024;
    public const int MaxHeaders = 200;
    public const int MaxHeaderLength = 8 * 1024;

    private static readonly string[] Once =
    [
        HeaderName.From, HeaderName.To, HeaderName.CallId, HeaderName.CSeq, HeaderName.MaxForwards, HeaderName.ContentLength,
        HeaderName.Expires,
    ];

    public static ParsedMessage Parse(ReadOnlySpan<byte> octets)
    {
        if (octets.Length > MaxMessageLength) return new(null, "too long");
        while (octets.StartsWith("\r\n"u8)) octets = octets[2..];
        var end = octets.IndexOf("\r\n\r\n"u8);
        if (end < 0) return new(null, "no end of the header fields");
        var head = octets[..end];
        var body = octets[(end + 4)..];
        if (!Utf8.IsValid(head)) return new(null, "not UTF-8");

        var startLine = ReadLine(ref head);
        if (startLine.AsSpan().ContainsAny('\r', '\n')) return new(null, "The start line has a lone line end");
        var (headers, error) = ReadHeaders(head);
        return startLine.StartsWith("SIP/", StringComparison.OrdinalIgnoreCase)
            ? Response(startLine, headers, body, error)
            : Request(startLine, headers, body, error);
    }

    private static ParsedMessage Request(string startLine, SipHeaders headers, ReadOnlySpan<byte> octets, string? error)
    {
        var parts = startLine.Split(' ');
        if (parts is [_, _, var version] && version.StartsWith("SIP/", StringComparison.OrdinalIgnoreCase) && !IsVersion(version))
            return Bad(parts[0], headers, 505, "Version Not Supported");
        if (parts.Length != 3 || !HeaderText.IsToken(parts[0]) || !IsVersion(parts[2]) || !IsRequestUri(parts[1]))
            return Bad(parts[0], headers, 400, "the request line is wrong");

        var common = Common(headers);
        if (common is null) error ??= "From, To, Call-ID, CSeq or Via is missing or wrong";
        else if (common.CSeq.Method != parts[0]) error ??= "CSeq has another method";
        error ??= Problem(headers);
        var maxForwards = 70;
        if (headers.First(HeaderName.MaxForwards) is { } text && !TryNumber(text, 255, out maxForwards))
            error ??= "Max-Forwards must be a number from 0 to 255";
        if (!TryBody(headers, octets, out var body)) error ??= "Content-Length is wrong";
        if (error is not null) return Bad(parts[0], headers, 400, error);

        return new(new SipRequest
        {
            Method = parts[0],
            Uri = parts[1],
            Headers = headers,
            From = common!.From,
            To = common.To,
            CallId = common.CallId,
            CSeq = common.CSeq,
            Body = body,
            MaxForwards = maxForwards,
        });
    }

    /// <summary>The response to a malformed request. It copies the fields unchanged, because they may be unreadable.</summary>
    private static ParsedMessage Bad(string method, SipHeaders headers, int statusCode, string error)
    {
        // An ACK has no response (§17.1.1.3), and a response needs Via and CSeq to be matched.
        if (method == Method.Ack || !headers.Has(HeaderName.Via) || !headers.Has(HeaderName.CSeq)) return new(null, error);
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
        if (Common(headers) is not { } common) return new(null, error ?? "From, To, Call-ID, CSeq or Via is missing or wrong");
        var parts = startLine.Split(' ', 3);
        if (parts.Length < 2 || !IsVersion(parts[0]) || !TryNumber(parts[1], 699, out var code) || code < 100 || parts[1].Length != 3)
            return new(null, error ?? "The status line is wrong");
        error ??= Problem(headers);
        if (!TryBody(headers, octets, out var body)) error ??= "Content-Length is wrong";
        if (error is not null) return new(null, error);
        return new(new SipResponse
        {
            StatusCode = code,
            Reason = parts.Length == 3 ? parts[2] : "",
            Headers = headers,
            From = common.From,
            To = common.To,
            CallId = common.CallId,
            CSeq = common.CSeq,
            Body = body,
        });
    }

    // Reads up to the next CRLF without white space after it (§7.3.1), and unfolds. The caller rejects lone line ends, because another
    // parser might end a line there.
    private static string ReadLine(ref ReadOnlySpan<byte> rest)
    {
        var line = ReadPart(ref rest);
        if (!IsFolded(rest)) return line;

        var whole = new StringBuilder(line.TrimEnd());
        while (IsFolded(rest) && whole.Length <= MaxHeaderLength)
        {
            if (ReadPart(ref rest).Trim() is { Length: > 0 } part) whole.Append(' ').Append(part);
        }

        return whole.ToString();
    }

    private static bool IsFolded(ReadOnlySpan<byte> rest) => rest.Length > 0 && rest[0] is (byte)' ' or (byte)'\t';

    private static string ReadPart(ref ReadOnlySpan<byte> rest)
    {
        var end = rest.IndexOf("\r\n"u8);
        var part = Encoding.UTF8.GetString(end < 0 ? rest : rest[..end]);
        rest = end < 0 ? [] : rest[(end + 2)..];
        return part;
    }

    private static (SipHeaders Headers, string? Error) ReadHeaders(ReadOnlySpan<byte> rest)
    {
        var headers = new SipHeaders();
        string? error = null;
        var lines = 0;
        while (rest.Length > 0)
        {
            var line = ReadLine(ref rest);
            if (++lines > MaxHeaders) return (headers, "Too many header fields");
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var name = colon < 0 ? "" : line[..colon].TrimEnd();
            if (line.Length > MaxHeaderLength) error ??= "A header field is too long";
            else if (!HeaderText.IsToken(name)) error ??= "A header field has no name";
            else if (line.AsSpan().ContainsAny('\r', '\n')) error ??= "A header field has a lone line end";
            else headers.Add(HeaderName.Normalize(name), line[(colon + 1)..].Trim());
        }
        return (headers, error);
    }

    private static bool IsVersion(string text) => text.Equals("SIP/2.0", StringComparison.OrdinalIgnoreCase);

    private static CommonFields? Common(SipHeaders headers)
    {
        var from = NameAddress.Parse(headers.First(HeaderName.From));
        var to = NameAddress.Parse(headers.First(HeaderName.To));
        var callId = headers.First(HeaderName.CallId);
        var cseq = CSeq.Parse(headers.First(HeaderName.CSeq));
        if (from is null || to is null || string.IsNullOrEmpty(callId) || cseq is null) return null;
        return headers.Values(HeaderName.Via).FirstOrDefault() is { } via && Via.Parse(via) is not null
            ? new(from, to, callId, cseq) : null;
    }

    private static string? Problem(SipHeaders headers)
    {
        foreach (var name in Once)
        {
            if (headers.Count(name) > 1) return $"{name} must come once";
        }

        foreach (var via in headers.Values(HeaderName.Via))
        {
            if (Via.Parse(via) is null) return "Via is wrong";
        }

        foreach (var name in (string[])[HeaderName.Route, HeaderName.RecordRoute])
        {
            foreach (var route in headers.Values(name))
            {
                if (NameAddress.Parse(route) is null) return $"{name} is wrong";
            }
        }

        foreach (var contact in headers.Values(HeaderName.Contact))
        {
            if (contact != "*" && NameAddress.Parse(contact) is null) return "Contact is wrong";
        }

        return headers.First(HeaderName.Expires) is { } expires && !TryNumber(expires, uint.MaxValue, out _)
            ? "Expires must be a number of seconds" : null;
    }

    // §18.3 for message-oriented transports: octets beyond Content-Length are ignored. RFC 7118 §5 allows it to be absent.
    private static bool TryBody(SipHeaders headers, ReadOnlySpan<byte> octets, out byte[] body)
    {
        body = [];
        var length = octets.Length;
        if (headers.First(HeaderName.ContentLength) is { } text && !TryNumber(text, MaxMessageLength, out length)) return false;
        if (length > octets.Length) return false;
        body = octets[..length].ToArray();
        return true;
    }

    private static bool IsRequestUri(string text) =>
        text.IndexOf(':', StringComparison.Ordinal) > 0 && char.IsAsciiLetter(text[0]) && !text.AsSpan().ContainsAny("<>\"")
        && (!SipUri.IsSipScheme(text) || SipUri.Parse(text) is { HasHeaders: false });

    private static bool TryNumber(string text, uint max, out int number)
    {
        number = 0;
        if (!uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value > max) return false;
        number = (int)Math.Min(value, int.MaxValue);
        return true;
    }

    private sealed record CommonFields(NameAddress From, NameAddress To, string CallId, CSeq CSeq);
}
