namespace WebRtcIms.EpCscf.Sip;

/// <summary>A <c>tel:</c> URI (RFC 3966).</summary>
internal static class TelUri
{
    private const string Scheme = "tel:";
    private const string VisualSeparators = "-.()";

    /// <summary>
    /// The SIP URI of the same number (RFC 3261 §19.1.6). A local number must have the domain as its context, because elsewhere it is
    /// another number. Null if it is not a number that this domain can have.
    /// </summary>
    public static SipUri? ToSipUri(string text, string domain)
    {
        if (!text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)) return null;
        var semicolon = text.IndexOf(';', StringComparison.Ordinal);
        var end = semicolon < 0 ? text.Length : semicolon;
        var number = string.Concat(text[Scheme.Length..end].Where(c => !VisualSeparators.Contains(c, StringComparison.Ordinal)));
        if (!SipParameters.TryParse(text[end..], out var parameters)) return null;
        var isGlobal = number.StartsWith('+');
        var digits = isGlobal ? number[1..] : number;
        if (digits.Length == 0 || !digits.All(char.IsAsciiDigit)) return null;
        var isOfDomain = isGlobal || domain.Equals(parameters["phone-context"], StringComparison.OrdinalIgnoreCase);
        return isOfDomain ? new SipUri(number, domain, HasHeaders: false) : null;
    }
}
