namespace WebRtcIms.EpCscf.Sip;

/// <summary>
/// The lines of a message up to the empty one, unfolded (RFC 3261 §7.3.1). A line also ends at a lone LF, because messages are written
/// anew and always with CRLF. Octets that are not UTF-8 become U+FFFD.
/// </summary>
internal ref struct SipLines
{
    private ReadOnlySpan<byte> _rest;

    /// <param name="octets">The message.</param>
    /// <param name="isCut">Whether octets are missing at the end. A line without its end is then ignored.</param>
    public SipLines(ReadOnlySpan<byte> octets, bool isCut)
    {
        _rest = octets.TrimStart("\r\n"u8);
        if (isCut) _rest = _rest[..(_rest.LastIndexOf((byte)'\n') + 1)];
    }

    /// <summary>What follows the empty line; empty until <see cref="Next"/> has returned null.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    /// <summary>The next line; null at the empty line, or at the end if there is none.</summary>
    public string? Next()
    {
        var line = ReadPart();
        if (line.Length == 0) return null;
        if (!IsFolded) return line;

        var whole = new StringBuilder(line.TrimEnd());
        while (IsFolded && whole.Length <= SipParser.MaxHeaderLength)
        {
            if (ReadPart().Trim() is { Length: > 0 } part) whole.Append(' ').Append(part);
        }

        return whole.ToString();
    }

    private readonly bool IsFolded => _rest.Length > 0 && _rest[0] is (byte)' ' or (byte)'\t';

    private string ReadPart()
    {
        var end = _rest.IndexOf((byte)'\n');
        var part = end < 0 ? _rest : _rest[..end];
        _rest = end < 0 ? [] : _rest[(end + 1)..];
        if (part.EndsWith("\r"u8)) part = part[..^1];
        return Encoding.UTF8.GetString(part);
    }
}
