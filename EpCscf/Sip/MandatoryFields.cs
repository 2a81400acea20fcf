namespace WebRtcIms.EpCscf.Sip;

/// <summary>The fields that every message has (RFC 3261 §8.1.1). One that is missing or wrong is null.</summary>
internal sealed record MandatoryFields(NameAddress? From, NameAddress? To, string? CallId, CSeq? CSeq, Via? Via)
{
    public static MandatoryFields Read(SipHeaders headers)
    {
        var (from, to) = (Address(headers, HeaderName.From), Address(headers, HeaderName.To));
        var callId = headers.First(HeaderName.CallId);
        var via = headers.Values(HeaderName.Via).FirstOrDefault();
        return new(
            from, to, IsCallId(callId) ? callId : null, CSeq.Parse(headers.First(HeaderName.CSeq)), via is null ? null : Via.Parse(via));
    }

    /// <summary>Names the first field that is missing or wrong.</summary>
    public string? Problem(SipHeaders headers)
    {
        var name = Via is null ? HeaderName.Via : From is null ? HeaderName.From : To is null ? HeaderName.To
            : CallId is null ? HeaderName.CallId : CSeq is null ? HeaderName.CSeq : null;
        return name is null ? null : headers.Has(name) ? $"{name} is wrong" : $"{name} is missing";
    }

    private static NameAddress? Address(SipHeaders headers, string name)
    {
        var address = NameAddress.Parse(headers.First(name));
        if (address is { IsRepaired: true } && headers.Count(name) == 1) headers.Set(name, address.ToString());
        return address;
    }

    // Route tokens are signed with it, and two ends must read the same one.
    private static bool IsCallId(string? text) => text is { Length: > 0 } && !text.Any(c => c is ' ' or '\uFFFD' || char.IsControl(c));
}
