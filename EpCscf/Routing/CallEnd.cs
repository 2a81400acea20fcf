using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>Why a call ended, by the Reason of its BYE (RFC 3326).</summary>
internal static class CallEnd
{
    public const string ByUser = "user";

    /// <summary>
    /// One side received nothing any more and could not restore the path. 3GPP TS 24.229 §7.2A.18.11: 2 is the time-out of RTP or RTCP, 3
    /// the loss of the media bearer. Other clients name the time-out as the status 408.
    /// </summary>
    public const string MediaLost = "media_lost";

    public const string Other = "other";

    public static string ReasonOf(SipRequest bye)
    {
        var reasons = bye.Headers.Values(HeaderName.Reason).Select(Read).ToList();
        if (reasons.Exists(reason => reason is ("RELEASE_CAUSE", "2" or "3") or ("SIP", "408"))) return MediaLost;
        return reasons.TrueForAll(reason => reason is ("RELEASE_CAUSE", "1") or ("SIP", "200")) ? ByUser : Other;
    }

    private static (string Protocol, string? Cause) Read(string value)
    {
        var end = HeaderText.IndexOfOutside(value, ';');
        var protocol = (end < 0 ? value : value[..end]).Trim().ToUpperInvariant();
        return SipParameters.TryParse(end < 0 ? "" : value[end..], out var parameters) ? (protocol, parameters["cause"]) : (protocol, null);
    }
}
