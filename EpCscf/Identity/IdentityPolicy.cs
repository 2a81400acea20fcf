using WebRtcIms.EpCscf.Core;
using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Identity;

/// <summary>
/// Who a message is from (RFC 3325, RFC 3323, TS 24.229 §5.2.6.3). A WIC may only be who it registered as; what it says of
/// itself in P-Asserted-Identity is never believed.
/// </summary>
internal static class IdentityPolicy
{
    private const string Anonymous = "sip:anonymous@anonymous.invalid";

    // What only nodes that trust each other tell each other, and what is meant for us alone. The token above all: whoever it is
    // forwarded to could register with it.
    private static readonly string[] NotForwarded =
    [
        HeaderName.Authorization, HeaderName.ProxyAuthorization, HeaderName.PAssertedIdentity, HeaderName.PPreferredIdentity, HeaderName.PAssociatedUri,
        HeaderName.Path, HeaderName.ServiceRoute, "P-Access-Network-Info", "P-Asserted-Service", "P-Called-Party-ID",
        "P-Charging-Function-Addresses", "P-Charging-Vector", "P-Preferred-Service", "P-Profile-Key", "P-Served-User",
        "P-User-Database", "P-Visited-Network-ID",
    ];

    /// <summary>Which of the registered identities a request is from; null when From claims one that is not registered.</summary>
    public static string? Originating(SipRequest request, IReadOnlyList<string> registered)
    {
        var from = request.From.Uri?.AddressOfRecord;
        if (from is null || (from != Anonymous && !registered.Contains(from))) return null;
        var preferred = request.Headers.Values(HeaderName.PPreferredIdentity).Select(value => NameAddress.Parse(value)?.Uri?.AddressOfRecord).FirstOrDefault();
        if (preferred is not null && registered.Contains(preferred)) return preferred;
        return from == Anonymous ? registered[0] : from;
    }

    /// <summary>Takes out what must not go on, in requests and in answers.</summary>
    public static void Strip(SipHeaders headers)
    {
        foreach (var name in NotForwarded) headers.Remove(name);
    }

    /// <summary>Says who it is from, unless they asked not to (RFC 3325 §9.1; RFC 3323 §4.2: header and user ask for no less).</summary>
    public static void Assert(SipHeaders headers, Subscriber subscriber, string impu)
    {
        if (WantsPrivacy(headers)) return;
        headers.Add(HeaderName.PAssertedIdentity, subscriber.DisplayName.Length == 0 ? $"<{impu}>" : $"{HeaderText.Quote(subscriber.DisplayName)} <{impu}>");
    }

    private static bool WantsPrivacy(SipHeaders headers) => headers.Values(HeaderName.Privacy)
        .SelectMany(value => value.Split(';', StringSplitOptions.TrimEntries))
        .Any(value => value.ToLowerInvariant() is "id" or "header" or "user");
}
