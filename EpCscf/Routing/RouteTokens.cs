using System.Buffers.Binary;
using System.Buffers.Text;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>The sender of a request in a dialogue, by its route token.</summary>
/// <param name="Dialog">The dialogue.</param>
/// <param name="Peer">The other end.</param>
/// <param name="HasIdentityOfDialog">Whether From is the sender's identity in the request that began the dialogue.</param>
/// <param name="IsPrivate">Whether the sender asked for privacy in that request.</param>
internal sealed record DialogSender(Dialog Dialog, BindingId Peer, bool HasIdentityOfDialog, bool IsPrivate)
{
    public bool IsCaller => Peer == Dialog.Callee;
}

/// <summary>
/// The user part of our Record-Route: the two bindings of a dialogue, under an HMAC (RFC 5626 §5.2). It names bindings and not
/// connections, so a dialogue survives a reconnect. Each end has a token of its own. The token is good only for this end, with the Call-ID
/// and the tags of the dialogue, until it expires or the dialogue ends.
/// </summary>
/// <remarks>
/// The callee has its token from the request, the caller from the response (RFC 3261 §12.1.1, §12.1.2). So a caller whose call was not
/// answered only has a token with a short life; the 2xx replaces it (§13.2.2.4).
/// </remarks>
internal sealed class RouteTokens(BindingNames names, EndedDialogs ended, EpCscfSettings settings, TimeProvider time)
{
    /// <summary>
    /// The route set of a dialogue never changes, not even with a target refresh (§12.2), so this server cannot renew a token. The longest
    /// call is therefore as long: longer than a session at the WWSF lasts.
    /// </summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(24);

    /// <summary>Longer than <see cref="Branch.TimerC"/>, which a phone that rings on may restart.</summary>
    public static readonly TimeSpan EarlyLifetime = TimeSpan.FromMinutes(10);

    private const int IdentityLength = 7;
    private const int IdAt = 2 * BindingId.OctetLength;
    private const int IdentityAt = IdAt + sizeof(ulong);
    private const int PrivateAt = IdentityAt + IdentityLength;
    private const int ExpiryAt = PrivateAt + 1;
    private const int TagAt = ExpiryAt + sizeof(uint);
    private const int TagLength = 16;

    // A multiple of three, so that each text stands for other octets.
    private const int Length = TagAt + TagLength;

    /// <summary>The Record-Route for the callee.</summary>
    public string ForCallee(Dialog dialog, SipRequest request) => Create(
        dialog, Lifetime, request.To, isPrivate: false, Binding(request.CallId, request.From.Tag, calleeTag: null));

    /// <summary>The Record-Route for the caller.</summary>
    public string ForCaller(Dialog dialog, SipRequest request, SipResponse response) => Create(
        dialog, response.IsSuccess ? Lifetime : EarlyLifetime, request.From, IdentityPolicy.WantsPrivacy(request.Headers),
        Binding(request.CallId, request.From.Tag, response.To.Tag ?? ""));

    /// <summary>The sender of a request; null if the route is not ours, not the sender's, or of no dialogue that goes on.</summary>
    public DialogSender? Find(SipUri route, BindingId sender, SipRequest request)
    {
        if (route.Host != settings.Host) return null;
        Span<byte> octets = stackalloc byte[Length];
        if (route.User.Length != Base64Url.GetEncodedLength(Length)) return null;
        if (Base64Url.DecodeFromChars(route.User, octets, out _, out var length) != OperationStatus.Done || length != Length) return null;

        var (caller, callee) = (BindingId.FromOctets(octets), BindingId.FromOctets(octets[BindingId.OctetLength..]));
        var isCaller = sender == caller;
        if (!isCaller && sender != callee) return null;
        var binding = isCaller
            ? Binding(request.CallId, request.From.Tag, request.To.Tag ?? "") : Binding(request.CallId, request.To.Tag, calleeTag: null);
        if (!CryptographicOperations.FixedTimeEquals(Sign(octets[..TagAt], binding).AsSpan(0, TagLength), octets[TagAt..])) return null;
        if (BinaryPrimitives.ReadUInt32BigEndian(octets[ExpiryAt..]) <= time.GetUtcNow().ToUnixTimeSeconds()) return null;

        var dialog = new Dialog(caller, callee, BinaryPrimitives.ReadUInt64BigEndian(octets[IdAt..]));
        if (ended.Contains(dialog, sender)) return null;
        return new(
            dialog, isCaller ? callee : caller, NameOf(request.From).SequenceEqual(octets.Slice(IdentityAt, IdentityLength)),
            octets[PrivateAt] != 0);
    }

    private string Create(Dialog dialog, TimeSpan lifetime, NameAddress identity, bool isPrivate, string binding)
    {
        Span<byte> octets = stackalloc byte[Length];
        dialog.Caller.WriteTo(octets);
        dialog.Callee.WriteTo(octets[BindingId.OctetLength..]);
        BinaryPrimitives.WriteUInt64BigEndian(octets[IdAt..], dialog.Id);
        NameOf(identity).CopyTo(octets[IdentityAt..]);
        octets[PrivateAt] = isPrivate ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt32BigEndian(octets[ExpiryAt..], (uint)(time.GetUtcNow() + lifetime).ToUnixTimeSeconds());
        Sign(octets[..TagAt], binding).AsSpan(0, TagLength).CopyTo(octets[TagAt..]);
        return $"<sip:{Base64Url.EncodeToString(octets)}@{settings.Host};transport=ws;lr>";
    }

    // The callee chooses its own tag after it has its token. None of the parts can have a line end.
    private static string Binding(string callId, string? callerTag, string? calleeTag) =>
        $"route\n{callId}\n{callerTag}\n{(calleeTag is null ? "callee" : $"caller\n{calleeTag}")}\n";

    private byte[] Sign(ReadOnlySpan<byte> octets, string binding) => names.Sign([.. Encoding.UTF8.GetBytes(binding), .. octets]);

    private ReadOnlySpan<byte> NameOf(NameAddress identity) =>
        names.Sign(Encoding.UTF8.GetBytes($"identity\n{identity.Uri?.AddressOfRecord ?? identity.UriText}")).AsSpan(0, IdentityLength);
}
