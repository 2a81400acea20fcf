using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>
/// Header fields that are never forwarded. Some are for this server only: with the token, the receiver could register. The others are
/// valid only between nodes that trust each other.
/// </summary>
internal static class StrippedHeaders
{
    public static readonly IReadOnlyList<string> Names =
    [
        HeaderName.Authorization, HeaderName.ProxyAuthorization, HeaderName.PAssertedIdentity, HeaderName.PPreferredIdentity,
        HeaderName.PAssociatedUri, HeaderName.Path, HeaderName.ServiceRoute, "P-Access-Network-Info", "P-Asserted-Service",
        "P-Called-Party-ID", "P-Charging-Function-Addresses", "P-Charging-Vector", "P-Preferred-Service", "P-Profile-Key", "P-Served-User",
        "P-User-Database", "P-Visited-Network-ID",
    ];

    /// <summary>Removes them from a request or response that is forwarded.</summary>
    public static void RemoveFrom(SipHeaders headers)
    {
        foreach (var name in Names) headers.Remove(name);
    }
}
