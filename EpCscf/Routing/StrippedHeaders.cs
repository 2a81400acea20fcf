using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>
/// Header fields that are never forwarded. Some are for this server only: with the token, the receiver could register. The others are
/// valid only between nodes that trust each other.
/// </summary>
internal static class StrippedHeaders
{
    /// <summary>The fields, except those of <see cref="TrustDomainPrefix"/>.</summary>
    public static readonly IReadOnlyList<string> Names =
    [
        // Between a page and this server.
        HeaderName.Authorization, HeaderName.ProxyAuthorization, HeaderName.Path, HeaderName.ServiceRoute, "Security-Client",
        "Security-Server", "Security-Verify",

        // Names and verdicts about them: the forerunners of RFC 3325, RFC 4474 and RFC 8224, RFC 7044, RFC 5806, TS 24.229 §7.2.
        "Remote-Party-ID", "RPID-Privacy", "Identity", "Identity-Info", "History-Info", "Diversion", "CC-Diversion", "Attestation-Info",
        "Origination-Id", "Additional-Identity",

        // What nodes of the core tell each other: RFC 4412, RFC 6809, TS 24.229 §7.2.
        "Resource-Priority", "Feature-Caps", "Restoration-Info", "Relayed-Charge", "Resource-Share", "Service-Interact-Info",
        "Cellular-Network-Info", "Priority-Share", "Response-Source",
    ];

    /// <summary>
    /// Fields with this prefix are for private networks (RFC 3427 §4.1), such as those of RFC 3325, RFC 6050, RFC 7315 and RFC 8496.
    /// None is from a page to another one.
    /// </summary>
    public const string TrustDomainPrefix = "P-";

    /// <summary>Removes them from a request or response that is forwarded.</summary>
    public static void RemoveFrom(SipHeaders headers)
    {
        foreach (var name in Names) headers.Remove(name);
        headers.RemovePrefix(TrustDomainPrefix);
    }
}
