using System.Buffers.Text;
using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Settings;
using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Routing;

/// <summary>
/// The user part of our Record-Route: the two bindings of a dialog, under an HMAC (RFC 5626 §5.2). It names bindings and not connections,
/// so a dialog survives a reconnect. It cannot be forged, and only its two bindings can use it.
/// </summary>
internal sealed class RouteTokens(BindingNames names, EpCscfSettings settings)
{
    private const int TagLength = 16;
    private const int Length = (2 * BindingId.OctetLength) + TagLength;

    public string RecordRoute(BindingId caller, BindingId callee)
    {
        Span<byte> octets = stackalloc byte[Length];
        caller.WriteTo(octets);
        callee.WriteTo(octets[BindingId.OctetLength..]);
        names.Sign(octets[..^TagLength]).AsSpan(0, TagLength).CopyTo(octets[^TagLength..]);
        return $"<sip:{Base64Url.EncodeToString(octets)}@{settings.Host};transport=ws;lr>";
    }

    /// <summary>The other end of the dialog; null if the route is not ours, or not the sender's.</summary>
    public BindingId? Peer(SipUri route, BindingId sender)
    {
        if (route.Host != settings.Host) return null;
        Span<byte> octets = stackalloc byte[Length];
        if (route.User.Length != Base64Url.GetEncodedLength(Length)) return null;
        if (Base64Url.DecodeFromChars(route.User, octets, out _, out var length) != OperationStatus.Done || length != Length) return null;
        if (!CryptographicOperations.FixedTimeEquals(names.Sign(octets[..^TagLength]).AsSpan(0, TagLength), octets[^TagLength..]))
            return null;
        var (caller, callee) = (BindingId.FromOctets(octets), BindingId.FromOctets(octets[BindingId.OctetLength..]));
        if (sender == caller) return callee;
        return sender == callee ? caller : null;
    }

    /// <summary>Whether this is our Service-Route.</summary>
    public bool IsOriginating(SipUri? route) => route is { User: Registrar.OriginatingUser } && route.Host == settings.Host;
}
