namespace WebRtcIms.EpCscf.Sip;

/// <summary>Checks of the request itself (RFC 3261 §16.3).</summary>
internal static class SipRequestChecks
{
    /// <summary>420 if a required extension is not known (§8.2.2.3, §16.3 step 5); otherwise null.</summary>
    public static SipResponse? Unsupported(this SipRequest request, string header, ReadOnlySpan<string> known)
    {
        List<string> unknown = [];
        foreach (var option in request.Headers.Values(header).Where(option => option.Length > 0))
        {
            var isKnown = false;
            foreach (var name in known) isKnown |= name.Equals(option, StringComparison.OrdinalIgnoreCase);
            if (!isKnown) unknown.Add(option);
        }

        if (unknown.Count == 0) return null;
        var response = request.Answer(420, "Bad Extension", SipRequest.NewTag());
        response.Headers.Add(HeaderName.Unsupported, string.Join(", ", unknown));
        return response;
    }
}
