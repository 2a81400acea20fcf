namespace WebRtcIms.Wwsf.Ims;

/// <summary>An identity in the IMS.</summary>
/// <param name="Impi">Private user identity, such as <c>alice@webrtcims.local</c>.</param>
/// <param name="Impu">Public user identity, such as <c>sip:alice@webrtcims.local</c>: the address for calls.</param>
/// <param name="DisplayName">The name that other users see.</param>
internal sealed record ImsIdentity(string Impi, string Impu, string DisplayName)
{
    /// <summary>It may be the name of a person.</summary>
    public override string ToString() => "***";
}
