using WebRtcIms.EpCscf.Core;
using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>
/// The identity of a sender (RFC 3325, RFC 3323, TS 24.229 §5.2.6.3). A WIC may only use an identity that it has registered. Its own
/// P-Asserted-Identity is never trusted.
/// </summary>
internal static class IdentityPolicy
{
    private const string Anonymous = "sip:anonymous@anonymous.invalid";
    private const string Verdict = "verstat";

    /// <summary>The registered identity that a request is from; null if From names one that is not registered.</summary>
    public static string? Originating(SipRequest request, IReadOnlyList<string> registered)
    {
        var from = From(request);
        if (from is null || (from != Anonymous && !registered.Contains(from)) || ClaimsVerification(request)) return null;
        var preferred = request.Headers.Values(HeaderName.PPreferredIdentity)
            .Select(value => NameAddress.Parse(value)?.Uri?.AddressOfRecord).FirstOrDefault();
        if (preferred is not null && registered.Contains(preferred)) return preferred;
        return from == Anonymous ? registered[0] : from;
    }

    /// <summary>
    /// Whether a request in a dialogue may have this From: a registered identity, the anonymous one, or the sender's identity in the request
    /// that began the dialogue. The last one is that of a callee which was called by a name that is not its own, such as a tel URI.
    /// </summary>
    public static bool MayUse(SipRequest request, IReadOnlyList<string> registered, DialogSender sender) =>
        (sender.HasIdentityOfDialog || (From(request) is { } from && (from == Anonymous || registered.Contains(from))))
            && (!sender.IsCaller || !ClaimsVerification(request));

    /// <summary>
    /// Adds P-Asserted-Identity to a request in a dialogue if From is a registered identity. It has no display name, because a callee may
    /// have asked for privacy in its response, and From only has what the caller dialled. RFC 5876 §3.2.1: not to ACK.
    /// </summary>
    public static void AssertInDialog(SipHeaders headers, SipRequest request, IReadOnlyList<string> registered, DialogSender sender)
    {
        if (request.Method == Method.Ack || sender.IsPrivate || WantsPrivacy(headers)) return;
        if (From(request) is { } from && registered.Contains(from)) headers.Add(HeaderName.PAssertedIdentity, $"<{from}>");
    }

    /// <summary>
    /// Adds P-Asserted-Identity, unless the sender asks for privacy (RFC 3325 §9.1; RFC 3323 §4.2: header and user include it).
    /// </summary>
    public static void Assert(SipHeaders headers, Subscriber subscriber, string impu)
    {
        if (WantsPrivacy(headers)) return;
        headers.Add(HeaderName.PAssertedIdentity, subscriber.DisplayName.Length == 0
            ? $"<{impu}>" : $"{HeaderText.Quote(subscriber.DisplayName)} <{impu}>");
    }

    public static bool WantsPrivacy(SipHeaders headers) => headers.Values(HeaderName.Privacy)
        .SelectMany(value => value.Split(';', StringSplitOptions.TrimEntries))
        .Any(value => value.ToLowerInvariant() is "id" or "header" or "user");

    // TS 24.229 §7.2A.20: the network's verdict about a number. The From of a callee is the caller's text.
    private static bool ClaimsVerification(SipRequest request) => request.From.Parameters[Verdict] is not null
        || Uri.UnescapeDataString(request.From.UriText).Contains(";" + Verdict, StringComparison.OrdinalIgnoreCase);

    private static string? From(SipRequest request) => request.From.Uri?.AddressOfRecord;
}
